// Where the result of a study has a page of its own: the address that opens a run there, or nothing.
const PAGES = {
  stress: "/prepare?run=", "emergency drill": "/prepare/drills?run=", carbon: "/carbon?footprint=", "carbon-frontier": "/carbon?frontier=",
  "rural plan": "/rural?plan=", "rural coverage": "/rural?coverage=",
};
export const pageFor = (run) => run.state === "done" && run.study in PAGES ? `${PAGES[run.study]}${run.id}` : null;
