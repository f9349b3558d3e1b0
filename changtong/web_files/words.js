// The wording in the page's language. Keys are literal; {names} are filled in.
const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
const { default: words } = await import(`./words.${language}.js`);

export const lang = language;

export function say(key, values = {}) {
  const text = words[key];
  if (text === undefined) throw new Error(`no wording for ${key}`);
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** The wording of a code, or the code itself where there is none. */
export const named = (section, code) => words[`${section}.${code}`] ?? code ?? say("shell.unknown");

const numbers = new Intl.NumberFormat(language === "zh" ? "zh-CN" : "en-GB", { maximumFractionDigits: 0 });
const shares = new Intl.NumberFormat(language === "zh" ? "zh-CN" : "en-GB", { style: "percent", maximumFractionDigits: 1 });

/** A count, whole; large ones in 万 and 亿 or thousands and millions where `short`. */
export function count(value, { short = false } = {}) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (short && language === "zh" && Math.abs(value) >= 1e8) return `${(value / 1e8).toFixed(2)} 亿`;
  if (short && language === "zh" && Math.abs(value) >= 1e4) return `${(value / 1e4).toFixed(1)} 万`;
  if (short && language === "en" && Math.abs(value) >= 1e6) return `${(value / 1e6).toFixed(1)} m`;
  if (short && language === "en" && Math.abs(value) >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return numbers.format(value);
}
export const share = (value) => value === null || value === undefined ? "–" : shares.format(value);

const times = new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hour12: false,
});
/** An instant in this browser's time zone. */
export const time = (iso) => iso ? times.format(new Date(iso)) : "–";

/** An instant in a zone: that of a scan log, whose days and hours are told beside it. */
export const timeIn = (zone) => {
  const form = new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", { timeZone: zone, month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hour12: false });
  return (ms) => form.format(new Date(ms));
};

const sizes = new Intl.NumberFormat(language === "zh" ? "zh-CN" : "en-GB", { maximumFractionDigits: 1 });
/** Bytes as people read them: kB, MB, GB of thousands. */
export function size(bytes) {
  const unit = bytes < 1e6 ? ["kB", 1e3] : bytes < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
  return `${sizes.format(bytes / unit[1])} ${unit[0]}`;
}

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  const whole = Math.round(value);
  if (whole < 60) return language === "zh" ? `${whole} 秒` : `${whole} s`;
  if (whole < 3600) return language === "zh" ? `${Math.floor(whole / 60)} 分 ${whole % 60} 秒` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole >= 172800) return language === "zh" ? `${Math.floor(whole / 86400)} 天` : `${Math.floor(whole / 86400)} days`;
  return language === "zh" ? `${Math.floor(whole / 3600)} 小时 ${Math.floor(whole % 3600 / 60)} 分` : `${Math.floor(whole / 3600)} h ${Math.floor(whole % 3600 / 60)} min`;
}
