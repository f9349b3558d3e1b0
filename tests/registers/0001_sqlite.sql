BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE attachments (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    about_kind TEXT NOT NULL,
    about TEXT NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    taken_at BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id)
);
INSERT INTO "attachments" VALUES('01m8dkrf1teh6mjr5rwzsdaxy0','spb-sz','/spb/spb-gd/spb-sz/','/spb/','/spb/spb-gd/','440300','44','4403','site','01m8dkrez7m5c4ex6frqs8yv6a','门口.png','image/png',108,'a1f76d954944aa5baf6d59cbc33793432c6aed8cb308b595e15055a9e37185b7',NULL,1,1795753262138,'01m8dkrepa40v6tk22sd4m9z5x',1795753262138,'01m8dkrepa40v6tk22sd4m9z5x',X'B72876C056DBC51C9063BA9D0429637F');
CREATE TABLE attempts (
    name_digest BLOB NOT NULL,
    failures BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (name_digest)
);
CREATE TABLE audit (
    n INTEGER NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    kind TEXT NOT NULL,
    record TEXT NOT NULL,
    path TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    detail TEXT NOT NULL,
    reason TEXT NOT NULL,
    "before" BLOB NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (n)
);
INSERT INTO "audit" VALUES(1,1795753261340,'set-up','create','registers','','/spb/','000000','{"administrator":"01m8dkre8w50dccxdnvszerhv3","digest":"431802d3677f28b8ff280a084b51981eb27cafc98595e084333f0859bca6c9b4","organisation":"spb"}','',X'86AD0E0DAF621D9BA4C50021D9BA56BF957F96A9AC2850AC6265EA7E46275B67',X'8FEEF6D4D80274A61090CB28ADAED170C3DC2B025D76DC45806E2D801752A2BE');
INSERT INTO "audit" VALUES(2,1795753261540,'01m8dkre8w50dccxdnvszerhv3','sign-in','user','01m8dkre8w50dccxdnvszerhv3','/spb/','000000','{"pass":"01m8dkref3sny8eqgtbsc0em5t"}','',X'8FEEF6D4D80274A61090CB28ADAED170C3DC2B025D76DC45806E2D801752A2BE',X'0AE0DE79A220C6A47EF02AE1F5E8B36B4DA1A9CDCFA45AA07700ADF8354EF3B8');
INSERT INTO "audit" VALUES(3,1795753261681,'01m8dkre8w50dccxdnvszerhv3','add','organisation','spb-gd','/spb/spb-gd/','440000','{"digest":"d3db5a1a31fdff1857b81ef15d969cc30eb114899b04556e18848ebd7e747d56","kind":"province","parent":"spb","version":1}','',X'0AE0DE79A220C6A47EF02AE1F5E8B36B4DA1A9CDCFA45AA07700ADF8354EF3B8',X'52B7B5E7A3C0EF4008142E665CF94F629B9400DF4363CF7B18FF84E50D3D12DB');
INSERT INTO "audit" VALUES(4,1795753261699,'01m8dkre8w50dccxdnvszerhv3','add','organisation','spb-sz','/spb/spb-gd/spb-sz/','440300','{"digest":"1103a58dd9109d855fc49e8b37738d150c2e8b210b0c737550fd3422edcbc4e4","kind":"city","parent":"spb-gd","version":1}','',X'52B7B5E7A3C0EF4008142E665CF94F629B9400DF4363CF7B18FF84E50D3D12DB',X'4BD26E313AE93BA9B75FC4A507D783F16AFD1AD706B537F676F6FC0F6AE67412');
INSERT INTO "audit" VALUES(5,1795753261706,'01m8dkre8w50dccxdnvszerhv3','add','organisation','spb-bj','/spb/spb-bj/','110000','{"digest":"52708ff389df0a31ac5f3d4e53185bcf1a4181d16f3f9650f778caa5fc80605c","kind":"province","parent":"spb","version":1}','',X'4BD26E313AE93BA9B75FC4A507D783F16AFD1AD706B537F676F6FC0F6AE67412',X'524E1121382357494DC490B320E57332A8885202EB5998AC47AADA06B098A485');
INSERT INTO "audit" VALUES(6,1795753261715,'01m8dkre8w50dccxdnvszerhv3','add','organisation','sd','/sd/','310000','{"digest":"1266cbe333caf81d53ba5be63d5ec87640e5424683464d2fc62d0c957fa32419","kind":"headquarters","parent":null,"version":1}','',X'524E1121382357494DC490B320E57332A8885202EB5998AC47AADA06B098A485',X'9FB8F2ADBB7923218E5D597AAE1D960A44BEBBBA04C4576DF342C122D8263EB7');
INSERT INTO "audit" VALUES(7,1795753261719,'01m8dkre8w50dccxdnvszerhv3','add','organisation','sd-gd','/sd/sd-gd/','440000','{"digest":"d4b5c9e2c0ed685ed7f8500a7749b263da872e345d2ca1ce29160a7942dc4e03","kind":"branch","parent":"sd","version":1}','',X'9FB8F2ADBB7923218E5D597AAE1D960A44BEBBBA04C4576DF342C122D8263EB7',X'DCC0CE76824D2065FEA1A231EE23F2C006278ABB63A2A87C258A02ADA6B894A0');
INSERT INTO "audit" VALUES(8,1795753261730,'01m8dkre8w50dccxdnvszerhv3','add','organisation','sd-sz','/sd/sd-gd/sd-sz/','440300','{"digest":"3d035a616833896e833471b25191be70ce2ec1f3d7b7c7a21638a439a94eb507","kind":"franchise","parent":"sd-gd","version":1}','',X'DCC0CE76824D2065FEA1A231EE23F2C006278ABB63A2A87C258A02ADA6B894A0',X'1ADA7DD2EA672D755505AC2BF7B8AFAA89187FE0DB095697BAA92A4A54935841');
INSERT INTO "audit" VALUES(9,1795753261743,'01m8dkre8w50dccxdnvszerhv3','add','organisation','sd-ns','/sd/sd-gd/sd-sz/sd-ns/','440305','{"digest":"a81cfbaf70d490b29498a0d1e8f9781a1bb8754e413cda6aa5ca758618a268a7","kind":"outlet","parent":"sd-sz","version":1}','',X'1ADA7DD2EA672D755505AC2BF7B8AFAA89187FE0DB095697BAA92A4A54935841',X'F287848B506AC8A743A64032ED2497EC97709F086F9A6D882CEE54EB57ECF27F');
INSERT INTO "audit" VALUES(10,1795753261750,'01m8dkre8w50dccxdnvszerhv3','add','organisation','fc','/fc/','330000','{"digest":"a717a2facf21b5a3483822c9f3fb049f1c3356149bbaa3678a75b710d5aaf4b3","kind":"headquarters","parent":null,"version":1}','',X'F287848B506AC8A743A64032ED2497EC97709F086F9A6D882CEE54EB57ECF27F',X'6FDC519DE65B89D002E339AD14875AB6D27AA2A18BB89DCCDFA690B978E0BC6D');
INSERT INTO "audit" VALUES(11,1795753261754,'01m8dkre8w50dccxdnvszerhv3','add','organisation','fc-ft','/fc/fc-ft/','440304','{"digest":"8db56ca48a83beb29ab9b6b64f0e169905e59911bc740625ea6525912650b7d0","kind":"outlet","parent":"fc","version":1}','',X'6FDC519DE65B89D002E339AD14875AB6D27AA2A18BB89DCCDFA690B978E0BC6D',X'D78341038C5B8F1D8489CDEB0D4B76FDF32FA32FF8F8F5E118BDE70175A9CEC8');
INSERT INTO "audit" VALUES(12,1795753261770,'01m8dkre8w50dccxdnvszerhv3','add','user','01m8dkrepa40v6tk22sd4m9z5x','/spb/spb-gd/spb-sz/','440300','{"organisation":"spb-sz"}','',X'D78341038C5B8F1D8489CDEB0D4B76FDF32FA32FF8F8F5E118BDE70175A9CEC8',X'01FB836B05CC641530D250F37B20376D816D0BD81031BE16BF9FC1659F9C4DA7');
INSERT INTO "audit" VALUES(13,1795753261778,'01m8dkre8w50dccxdnvszerhv3','add','grant','01m8dkrepjjpf1s61bhys1fdst','/spb/spb-gd/spb-sz/','440300','{"path":"/","region":"440300","role":"inspector","until":null,"user":"01m8dkrepa40v6tk22sd4m9z5x"}','',X'01FB836B05CC641530D250F37B20376D816D0BD81031BE16BF9FC1659F9C4DA7',X'B2B92852301F6F00B1A2D9675441181C913D2128E09EE0084CDCC92656CDF92B');
INSERT INTO "audit" VALUES(14,1795753261798,'01m8dkre8w50dccxdnvszerhv3','add','grant','01m8dkreq62hzhgfwaj9zpaqx3','/spb/spb-gd/spb-sz/','440300','{"path":"/","region":"440300","role":"duty_officer","until":null,"user":"01m8dkrepa40v6tk22sd4m9z5x"}','',X'B2B92852301F6F00B1A2D9675441181C913D2128E09EE0084CDCC92656CDF92B',X'B6926FAA327F2D0DAB1CD14C1E012B971646F49E3FCDF83C2F43AB155F6D4170');
INSERT INTO "audit" VALUES(15,1795753261817,'01m8dkrepa40v6tk22sd4m9z5x','sign-in','user','01m8dkrepa40v6tk22sd4m9z5x','/spb/spb-gd/spb-sz/','440300','{"pass":"01m8dkreqsg7kftmrjvrzdz2ga"}','',X'B6926FAA327F2D0DAB1CD14C1E012B971646F49E3FCDF83C2F43AB155F6D4170',X'DFD493F913C08A2CA6716170C929A606DB45BA8DA7FC07AA8646C2016092B462');
INSERT INTO "audit" VALUES(16,1795753261828,'01m8dkrepa40v6tk22sd4m9z5x','change','user','01m8dkrepa40v6tk22sd4m9z5x','/spb/spb-gd/spb-sz/','440300','{"password":true}','',X'DFD493F913C08A2CA6716170C929A606DB45BA8DA7FC07AA8646C2016092B462',X'0F7AFE2631CB9DA9CE96CDAF5FFE17940E7A86208C15295B923DFAB485528562');
INSERT INTO "audit" VALUES(17,1795753261860,'01m8dkrepa40v6tk22sd4m9z5x','sign-in','user','01m8dkrepa40v6tk22sd4m9z5x','/spb/spb-gd/spb-sz/','440300','{"pass":"01m8dkres4kyh0904y76e82f7a"}','',X'0F7AFE2631CB9DA9CE96CDAF5FFE17940E7A86208C15295B923DFAB485528562',X'8D53128DA6841BC1D534909917530B757A592709E8D723F25AF786C32153B6F5');
INSERT INTO "audit" VALUES(18,1795753261879,'01m8dkrepa40v6tk22sd4m9z5x','add','site','01m8dkresq0wsfkfpfhm12q6zm','/spb/spb-gd/spb-sz/','440300','{"digest":"46d4b5311ec0507ef77cb7abfaa0f9b842cea0ee4d53bc36dece23cd58396c10","texts":["name","contact_phone","details"],"values":{"kind":[null,"outlet"],"site_id":[null,"S0"],"status":[null,"open"]},"version":1}','',X'8D53128DA6841BC1D534909917530B757A592709E8D723F25AF786C32153B6F5',X'D416AEF1F1A59951248055FC6E9FBC1CC6EED5332DE7AF817FB4513F4745BADC');
INSERT INTO "audit" VALUES(19,1795753261898,'01m8dkrepa40v6tk22sd4m9z5x','add','hazard','01m8dkretaczmtx57h8zqhherz','/spb/spb-gd/spb-sz/','440300','{"digest":"ed209545ecbb956dbe87ae319a5549eb031056a7a99a3fc4a181dcd894ac1e83","texts":["title"],"values":{"deadline":[null,1796112000000],"escalation":[null,0],"found_at":[null,1780272000000],"grade":[null,"general"],"site":[null,"01m8dkresq0wsfkfpfhm12q6zm"],"state":[null,"open"]},"version":1}','',X'D416AEF1F1A59951248055FC6E9FBC1CC6EED5332DE7AF817FB4513F4745BADC',X'9EDDF9417A57EA77D74B261CF1C4F53ED7AD7AFD7BAD0BAD69F071907B18452E');
INSERT INTO "audit" VALUES(20,1795753261926,'01m8dkrepa40v6tk22sd4m9z5x','add','site','01m8dkrev6ybw5mevf51cbx5jh','/spb/spb-gd/spb-sz/','440300','{"digest":"416d15fcd4f5124d19cf95e754cfb73b51198c30e713071e9f41199f80a70052","texts":["name","contact_phone","details"],"values":{"kind":[null,"outlet"],"site_id":[null,"S1"],"status":[null,"open"]},"version":1}','',X'9EDDF9417A57EA77D74B261CF1C4F53ED7AD7AFD7BAD0BAD69F071907B18452E',X'1A7A26CFBC84D68EA1057528C57BE834A70027487E37096E967FD68FE10E0AD8');
INSERT INTO "audit" VALUES(21,1795753261938,'01m8dkrepa40v6tk22sd4m9z5x','add','hazard','01m8dkrevjdawfj9rq5jp0mv30','/spb/spb-gd/spb-sz/','440300','{"digest":"a8ad50ff656077adfed64bd83e0fba9a298f3d60e4e7f4190ab7ce7c68c33aa1","texts":["title"],"values":{"deadline":[null,1796112000000],"escalation":[null,0],"found_at":[null,1780272000000],"grade":[null,"general"],"site":[null,"01m8dkrev6ybw5mevf51cbx5jh"],"state":[null,"open"]},"version":1}','',X'1A7A26CFBC84D68EA1057528C57BE834A70027487E37096E967FD68FE10E0AD8',X'0A8BC7D5A2F0197C6078003BC1176C0C9FAC087C5ADAE15DA8FB50F1CEF32AF6');
INSERT INTO "audit" VALUES(22,1795753261958,'01m8dkrepa40v6tk22sd4m9z5x','add','site','01m8dkrew6vw29tjyv86v0vnr6','/spb/spb-gd/spb-sz/','440300','{"digest":"f7aa605079019231cebbe14f19aa5049321643d2f33f46107a7d55be42d90ba9","texts":["name","contact_phone","details"],"values":{"kind":[null,"outlet"],"site_id":[null,"S2"],"status":[null,"open"]},"version":1}','',X'0A8BC7D5A2F0197C6078003BC1176C0C9FAC087C5ADAE15DA8FB50F1CEF32AF6',X'82DB14FEF4B2CDB41491161E7C8A9335CDA3D49CFE379043F08D9491110743A9');
INSERT INTO "audit" VALUES(23,1795753261971,'01m8dkrepa40v6tk22sd4m9z5x','add','hazard','01m8dkrewkb3qh4nftc859jk8b','/spb/spb-gd/spb-sz/','440300','{"digest":"a53b79f6b89e9b36c6a934e6ffcd28d1d5bffb7da93939dc4ad17c5047dc79f8","texts":["title"],"values":{"deadline":[null,1796112000000],"escalation":[null,0],"found_at":[null,1780272000000],"grade":[null,"general"],"site":[null,"01m8dkrew6vw29tjyv86v0vnr6"],"state":[null,"open"]},"version":1}','',X'82DB14FEF4B2CDB41491161E7C8A9335CDA3D49CFE379043F08D9491110743A9',X'39DA88258CEA266C434ECA10A084C5A9DEA30467724BA88B47D3CE81B736C743');
INSERT INTO "audit" VALUES(24,1795753261991,'01m8dkrepa40v6tk22sd4m9z5x','add','site','01m8dkrex7y9ds16j6xhayjhx9','/spb/spb-gd/spb-sz/','440300','{"digest":"fc5caa64b1c38a5dd2698e319ec3704fd3d837113a9b89ef56d51247a703b4fa","texts":["name","contact_phone","details"],"values":{"kind":[null,"outlet"],"site_id":[null,"S3"],"status":[null,"open"]},"version":1}','',X'39DA88258CEA266C434ECA10A084C5A9DEA30467724BA88B47D3CE81B736C743',X'63418942DB23492303D5E82D28ADF0BB2BCD81CEF28AEABB78586A2A4C74AC79');
INSERT INTO "audit" VALUES(25,1795753262036,'01m8dkrepa40v6tk22sd4m9z5x','add','hazard','01m8dkreymfh22trx9gx1rte95','/spb/spb-gd/spb-sz/','440300','{"digest":"0b76a5962f9bbadc8bd563c6f78984ee5822741ca9dbc47f22ac552444f3d2be","texts":["title"],"values":{"deadline":[null,1796112000000],"escalation":[null,0],"found_at":[null,1780272000000],"grade":[null,"general"],"site":[null,"01m8dkrex7y9ds16j6xhayjhx9"],"state":[null,"open"]},"version":1}','',X'63418942DB23492303D5E82D28ADF0BB2BCD81CEF28AEABB78586A2A4C74AC79',X'E72B344A5013B12D565F98DFBE5C352ADD250F6FF7B4EB2879BCEC0C9477C0B6');
INSERT INTO "audit" VALUES(26,1795753262055,'01m8dkrepa40v6tk22sd4m9z5x','add','site','01m8dkrez7m5c4ex6frqs8yv6a','/spb/spb-gd/spb-sz/','440300','{"digest":"e13229239bec79fbc941b2f5be78f5928888f00ea7cf68e7c9f3bb01639b0b47","texts":["name","contact_phone","details"],"values":{"kind":[null,"outlet"],"site_id":[null,"S4"],"status":[null,"open"]},"version":1}','',X'E72B344A5013B12D565F98DFBE5C352ADD250F6FF7B4EB2879BCEC0C9477C0B6',X'6DD9132FD8EB61BF07E2E0EA5265C3EF776F390AA588AB04920179D0CFC1A7F7');
INSERT INTO "audit" VALUES(27,1795753262070,'01m8dkrepa40v6tk22sd4m9z5x','add','hazard','01m8dkrezp9gvwvcqy5pangr1c','/spb/spb-gd/spb-sz/','440300','{"digest":"de8571d463a0a142ab6cbcaa9ee2e30391717a36f089e505cff0f078ed4a89fd","texts":["title"],"values":{"deadline":[null,1796112000000],"escalation":[null,0],"found_at":[null,1780272000000],"grade":[null,"general"],"site":[null,"01m8dkrez7m5c4ex6frqs8yv6a"],"state":[null,"open"]},"version":1}','',X'6DD9132FD8EB61BF07E2E0EA5265C3EF776F390AA588AB04920179D0CFC1A7F7',X'4DC8237EB9508907745726AAC78461CF7CE3D425D2B88DD5ABF28BD6446D6EE5');
INSERT INTO "audit" VALUES(28,1795753262086,'01m8dkrepa40v6tk22sd4m9z5x','add','task','zz','/spb/spb-gd/spb-sz/','440300','{"digest":"affc8a3180e9cdaf60765d1dfd755deef6c71c0bc11f6edc1e151e48f903cfe4","texts":["title"],"values":{"deadline":[null,1796054400000],"escalation":[null,0],"state":[null,"open"]},"version":1}','',X'4DC8237EB9508907745726AAC78461CF7CE3D425D2B88DD5ABF28BD6446D6EE5',X'21860463A84696F501854D50157965CAB5D39210A4CFC9597E0E51D6F144C306');
INSERT INTO "audit" VALUES(29,1795753262107,'01m8dkrepa40v6tk22sd4m9z5x','add','task','aa','/spb/spb-gd/spb-sz/','440300','{"digest":"3523ce137a498c4616fa757f3478fbf0ee75a315ae52e340d32ef22b2dd4202e","texts":["title"],"values":{"deadline":[null,1796054400000],"escalation":[null,0],"parent":[null,"zz"],"state":[null,"open"]},"version":1}','',X'21860463A84696F501854D50157965CAB5D39210A4CFC9597E0E51D6F144C306',X'E7CB15B1FEAD13B42CCBC1CE698D81E3C4A3C36B3D51B63E2C5B4AFDAD798FCD');
INSERT INTO "audit" VALUES(30,1795753262138,'01m8dkrepa40v6tk22sd4m9z5x','add','attachment','01m8dkrf1teh6mjr5rwzsdaxy0','/spb/spb-gd/spb-sz/','440300','{"digest":"8ad6cbeca78e9148c7ede545b220d89508e8240708aac27f2cd62516616f1c4e","texts":["name","sha256"],"values":{"about":[null,"01m8dkrez7m5c4ex6frqs8yv6a"],"about_kind":[null,"site"],"media_type":[null,"image/png"],"size_bytes":[null,108]},"version":1}','',X'E7CB15B1FEAD13B42CCBC1CE698D81E3C4A3C36B3D51B63E2C5B4AFDAD798FCD',X'0655757250E865444677FFA850B6552EC29152C2D54081ACAED6437832555B5C');
CREATE TABLE audit_head (
    id INTEGER NOT NULL,
    n BIGINT NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT one_head CHECK (id = 1)
);
INSERT INTO "audit_head" VALUES(1,30,X'0655757250E865444677FFA850B6552EC29152C2D54081ACAED6437832555B5C');
CREATE TABLE campaigns (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    title TEXT NOT NULL,
    theme TEXT NOT NULL,
    state TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT,
    targets TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id)
);
CREATE TABLE finds (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    campaign TEXT,
    site TEXT,
    inspection TEXT,
    category TEXT NOT NULL,
    quantity DOUBLE,
    unit TEXT,
    found_at BIGINT NOT NULL,
    item_id TEXT,
    description TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    FOREIGN KEY(campaign) REFERENCES campaigns (id),
    FOREIGN KEY(site) REFERENCES sites (id),
    FOREIGN KEY(inspection) REFERENCES inspections (id)
);
CREATE TABLE grants (
    id TEXT NOT NULL,
    user TEXT NOT NULL,
    role TEXT NOT NULL,
    path TEXT NOT NULL,
    region TEXT NOT NULL,
    until BIGINT,
    given_at BIGINT NOT NULL,
    given_by TEXT NOT NULL,
    removed_at BIGINT,
    removed_by TEXT,
    PRIMARY KEY (id),
    FOREIGN KEY(user) REFERENCES users (id)
);
INSERT INTO "grants" VALUES('01m8dkre8wm364pv1stwtjarz7','01m8dkre8w50dccxdnvszerhv3','administrator','/','',NULL,1795753261340,'set-up',NULL,NULL);
INSERT INTO "grants" VALUES('01m8dkrepjjpf1s61bhys1fdst','01m8dkrepa40v6tk22sd4m9z5x','inspector','/','440300',NULL,1795753261778,'01m8dkre8w50dccxdnvszerhv3',NULL,NULL);
INSERT INTO "grants" VALUES('01m8dkreq62hzhgfwaj9zpaqx3','01m8dkrepa40v6tk22sd4m9z5x','duty_officer','/','440300',NULL,1795753261798,'01m8dkre8w50dccxdnvszerhv3',NULL,NULL);
CREATE TABLE hazards (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    site TEXT,
    inspection TEXT,
    item TEXT,
    title TEXT NOT NULL,
    grade TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT,
    owner_name TEXT,
    deadline BIGINT NOT NULL,
    found_at BIGINT NOT NULL,
    evidence TEXT,
    recheck_at BIGINT,
    recheck_result TEXT,
    escalation BIGINT NOT NULL,
    escalated_at BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    FOREIGN KEY(site) REFERENCES sites (id),
    FOREIGN KEY(inspection) REFERENCES inspections (id),
    FOREIGN KEY(owner) REFERENCES users (id)
);
INSERT INTO "hazards" VALUES('01m8dkretaczmtx57h8zqhherz','spb-sz','/spb/spb-gd/spb-sz/','/spb/','/spb/spb-gd/','440300','44','4403','01m8dkresq0wsfkfpfhm12q6zm',NULL,NULL,'no guard on the roller','general','open',NULL,NULL,1796112000000,1780272000000,NULL,NULL,NULL,0,NULL,1,1795753261898,'01m8dkrepa40v6tk22sd4m9z5x',1795753261898,'01m8dkrepa40v6tk22sd4m9z5x',X'B16E4C98FE98141F81DE937ECDA98776');
INSERT INTO "hazards" VALUES('01m8dkrevjdawfj9rq5jp0mv30','spb-sz','/spb/spb-gd/spb-sz/','/spb/','/spb/spb-gd/','440300','44','4403','01m8dkrev6ybw5mevf51cbx5jh',NULL,NULL,'no guard on the roller','general','open',NULL,NULL,1796112000000,1780272000000,NULL,NULL,NULL,0,NULL,1,1795753261938,'01m8dkrepa40v6tk22sd4m9z5x',1795753261938,'01m8dkrepa40v6tk22sd4m9z5x',X'BDE3C69349FAB2254BE42D4985F4095A');
INSERT INTO "hazards" VALUES('01m8dkrewkb3qh4nftc859jk8b','spb-sz','/spb/spb-gd/spb-sz/','/spb/','/spb/spb-gd/','440300','44','4403','01m8dkrew6vw29tjyv86v0vnr6',NULL,NULL,'no guard on the roller','general','open',NULL,NULL,1796112000000,1780272000000,NULL,NULL,NULL,0,NULL,1,1795753261971,'01m8dkrepa40v6tk22sd4m9z5x',1795753261971,'01m8dkrepa40v6tk22sd4m9z5x',X'531F495525E82E74B678C94C2A423661');
INSERT INTO "hazards" VALUES('01m8dkreymfh22trx9gx1rte95','spb-sz','/spb/spb-gd/spb-sz/','/spb/','/spb/spb-gd/','440300','44','4403','01m8dkrex7y9ds16j6xhayjhx9',NULL,NULL,'no guard on the roller','general','open',NULL,NULL,1796112000000,1780272000000,NULL,NULL,NULL,0,NULL,1,1795753262036,'01m8dkrepa40v6tk22sd4m9z5x',1795753262036,'01m8dkrepa40v6tk22sd4m9z5x',X'B6AD4E52052E62203A1A4D6EF9C059CD');
INSERT INTO "hazards" VALUES('01m8dkrezp9gvwvcqy5pangr1c','spb-sz','/spb/spb-gd/spb-sz/','/spb/','/spb/spb-gd/','440300','44','4403','01m8dkrez7m5c4ex6frqs8yv6a',NULL,NULL,'no guard on the roller','general','open',NULL,NULL,1796112000000,1780272000000,NULL,NULL,NULL,0,NULL,1,1795753262070,'01m8dkrepa40v6tk22sd4m9z5x',1795753262070,'01m8dkrepa40v6tk22sd4m9z5x',X'506845F8884D1D01D6752F165E732DFA');
CREATE TABLE inspections (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    site TEXT,
    form_id TEXT NOT NULL,
    form_version TEXT NOT NULL,
    state TEXT NOT NULL,
    inspector TEXT,
    planned_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    unannounced BOOLEAN NOT NULL,
    answers TEXT,
    result TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    FOREIGN KEY(site) REFERENCES sites (id),
    FOREIGN KEY(inspector) REFERENCES users (id)
);
CREATE TABLE organisations (
    id TEXT NOT NULL,
    parent TEXT,
    kind TEXT NOT NULL,
    department TEXT,
    name_zh TEXT NOT NULL,
    name_en TEXT,
    admin_code TEXT NOT NULL,
    path TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(parent) REFERENCES organisations (id),
    UNIQUE (path)
);
INSERT INTO "organisations" VALUES('spb',NULL,'nation',NULL,'国家邮政局',NULL,'000000','/spb/',1,1795753261340,'set-up',1795753261340,'set-up',X'A3C7A7BF079E5C0F8A7BD5F17ACC4335');
INSERT INTO "organisations" VALUES('spb-gd','spb','province',NULL,'广东省邮政管理局',NULL,'440000','/spb/spb-gd/',1,1795753261681,'01m8dkre8w50dccxdnvszerhv3',1795753261681,'01m8dkre8w50dccxdnvszerhv3',X'313DBD0FB12B117B600B5979859D56A1');
INSERT INTO "organisations" VALUES('spb-sz','spb-gd','city',NULL,'深圳市邮政管理局',NULL,'440300','/spb/spb-gd/spb-sz/',1,1795753261699,'01m8dkre8w50dccxdnvszerhv3',1795753261699,'01m8dkre8w50dccxdnvszerhv3',X'05136577F029406A8DB97A4B89E0AB16');
INSERT INTO "organisations" VALUES('spb-bj','spb','province',NULL,'北京市邮政管理局',NULL,'110000','/spb/spb-bj/',1,1795753261706,'01m8dkre8w50dccxdnvszerhv3',1795753261706,'01m8dkre8w50dccxdnvszerhv3',X'966DA93628E8402F1EBB874AE46D372D');
INSERT INTO "organisations" VALUES('sd',NULL,'headquarters',NULL,'顺达速递',NULL,'310000','/sd/',1,1795753261715,'01m8dkre8w50dccxdnvszerhv3',1795753261715,'01m8dkre8w50dccxdnvszerhv3',X'42D9B13BFB4F888B4F4DCA42DCF3A393');
INSERT INTO "organisations" VALUES('sd-gd','sd','branch',NULL,'顺达广东',NULL,'440000','/sd/sd-gd/',1,1795753261719,'01m8dkre8w50dccxdnvszerhv3',1795753261719,'01m8dkre8w50dccxdnvszerhv3',X'DF000D2A1191EA51419B47425BAA0997');
INSERT INTO "organisations" VALUES('sd-sz','sd-gd','franchise',NULL,'顺达深圳加盟',NULL,'440300','/sd/sd-gd/sd-sz/',1,1795753261730,'01m8dkre8w50dccxdnvszerhv3',1795753261730,'01m8dkre8w50dccxdnvszerhv3',X'49B20F6765102F5C91F864DD4EA8A8C0');
INSERT INTO "organisations" VALUES('sd-ns','sd-sz','outlet',NULL,'顺达南山网点',NULL,'440305','/sd/sd-gd/sd-sz/sd-ns/',1,1795753261743,'01m8dkre8w50dccxdnvszerhv3',1795753261743,'01m8dkre8w50dccxdnvszerhv3',X'00F4236DC6A1C87DE0A5BC39B2C6262F');
INSERT INTO "organisations" VALUES('fc',NULL,'headquarters',NULL,'飞驰快递',NULL,'330000','/fc/',1,1795753261750,'01m8dkre8w50dccxdnvszerhv3',1795753261750,'01m8dkre8w50dccxdnvszerhv3',X'FA719767200A47F22B1CE880DAB7617C');
INSERT INTO "organisations" VALUES('fc-ft','fc','outlet',NULL,'飞驰福田网点',NULL,'440304','/fc/fc-ft/',1,1795753261754,'01m8dkre8w50dccxdnvszerhv3',1795753261754,'01m8dkre8w50dccxdnvszerhv3',X'6E5529E2086BDD3BBBAB32E4E45A8933');
CREATE TABLE passes (
    id TEXT NOT NULL,
    user TEXT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    hash BLOB NOT NULL,
    made_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (id),
    FOREIGN KEY(user) REFERENCES users (id),
    UNIQUE (hash)
);
INSERT INTO "passes" VALUES('01m8dkref3sny8eqgtbsc0em5t','01m8dkre8w50dccxdnvszerhv3','session','sign-in',X'A78EA0E391769DE06C37379A76AADFDA1105870D527AE7C225C548F5CB58E492',1795753261539,1795796461539,NULL);
INSERT INTO "passes" VALUES('01m8dkreqsg7kftmrjvrzdz2ga','01m8dkrepa40v6tk22sd4m9z5x','session','sign-in',X'FC131FA02B5B564F09040DFB11C81B1DE96E1DE40F7210A95CE031A5A2BE8888',1795753261817,1795796461817,1795753261828);
INSERT INTO "passes" VALUES('01m8dkres4kyh0904y76e82f7a','01m8dkrepa40v6tk22sd4m9z5x','session','sign-in',X'93710B9ADD4A2291C78F339357DAA0DE653B3AACADD884360E5ED3EAF562EFDF',1795753261860,1795796461860,NULL);
CREATE TABLE recovery_codes (
    id TEXT NOT NULL,
    user TEXT NOT NULL,
    hash BLOB NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (id),
    FOREIGN KEY(user) REFERENCES users (id)
);
CREATE TABLE rectifications (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    hazard TEXT,
    gap TEXT,
    title TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT,
    deadline BIGINT NOT NULL,
    evidence TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    FOREIGN KEY(hazard) REFERENCES hazards (id),
    FOREIGN KEY(owner) REFERENCES users (id)
);
CREATE TABLE sites (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    site_id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT,
    status_since BIGINT,
    filing_no TEXT,
    lon DOUBLE,
    lat DOUBLE,
    contact_name TEXT,
    contact_phone TEXT,
    details TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    UNIQUE (site_id)
);
INSERT INTO "sites" VALUES('01m8dkresq0wsfkfpfhm12q6zm','spb-sz','/spb/spb-gd/spb-sz/','/spb/','/spb/spb-gd/','440300','44','4403','S0','网点 0','outlet','open',NULL,NULL,NULL,NULL,NULL,NULL,'13800000000','{"a":[1,2.5,null,"中"]}',1,1795753261879,'01m8dkrepa40v6tk22sd4m9z5x',1795753261879,'01m8dkrepa40v6tk22sd4m9z5x',X'07F160F2FAA9B05360B3BEBF55F140C6');
INSERT INTO "sites" VALUES('01m8dkrev6ybw5mevf51cbx5jh','spb-sz','/spb/spb-gd/spb-sz/','/spb/','/spb/spb-gd/','440300','44','4403','S1','网点 1','outlet','open',NULL,NULL,NULL,NULL,NULL,NULL,'13800000000','{"a":[1,2.5,null,"中"]}',1,1795753261926,'01m8dkrepa40v6tk22sd4m9z5x',1795753261926,'01m8dkrepa40v6tk22sd4m9z5x',X'1C1647529B97742033AC06562923C481');
INSERT INTO "sites" VALUES('01m8dkrew6vw29tjyv86v0vnr6','spb-sz','/spb/spb-gd/spb-sz/','/spb/','/spb/spb-gd/','440300','44','4403','S2','网点 2','outlet','open',NULL,NULL,NULL,NULL,NULL,NULL,'13800000000','{"a":[1,2.5,null,"中"]}',1,1795753261958,'01m8dkrepa40v6tk22sd4m9z5x',1795753261958,'01m8dkrepa40v6tk22sd4m9z5x',X'A32BD8551A9A6BC23CDEBF8D1D062F12');
INSERT INTO "sites" VALUES('01m8dkrex7y9ds16j6xhayjhx9','spb-sz','/spb/spb-gd/spb-sz/','/spb/','/spb/spb-gd/','440300','44','4403','S3','网点 3','outlet','open',NULL,NULL,NULL,NULL,NULL,NULL,'13800000000','{"a":[1,2.5,null,"中"]}',1,1795753261991,'01m8dkrepa40v6tk22sd4m9z5x',1795753261991,'01m8dkrepa40v6tk22sd4m9z5x',X'AEB959051039B8AF9D789B0C05645C4C');
INSERT INTO "sites" VALUES('01m8dkrez7m5c4ex6frqs8yv6a','spb-sz','/spb/spb-gd/spb-sz/','/spb/','/spb/spb-gd/','440300','44','4403','S4','网点 4','outlet','open',NULL,NULL,NULL,NULL,NULL,NULL,'13800000000','{"a":[1,2.5,null,"中"]}',1,1795753262055,'01m8dkrepa40v6tk22sd4m9z5x',1795753262055,'01m8dkrepa40v6tk22sd4m9z5x',X'4D158CEB5261B12F2D4F1359D05742CB');
CREATE TABLE tasks (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    decision TEXT,
    parent TEXT,
    title TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT,
    deadline BIGINT NOT NULL,
    evidence TEXT,
    reminded_at BIGINT,
    escalation BIGINT NOT NULL,
    escalated_at BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    FOREIGN KEY(parent) REFERENCES tasks (id),
    FOREIGN KEY(owner) REFERENCES users (id)
);
INSERT INTO "tasks" VALUES('zz','spb-sz','/spb/spb-gd/spb-sz/','/spb/','/spb/spb-gd/','440300','44','4403',NULL,NULL,'all','open',NULL,1796054400000,NULL,NULL,0,NULL,1,1795753262086,'01m8dkrepa40v6tk22sd4m9z5x',1795753262086,'01m8dkrepa40v6tk22sd4m9z5x',X'581CBAF8E41135AE51C86B3C36D2B8DA');
INSERT INTO "tasks" VALUES('aa','spb-sz','/spb/spb-gd/spb-sz/','/spb/','/spb/spb-gd/','440300','44','4403',NULL,'zz','part','open',NULL,1796054400000,NULL,NULL,0,NULL,1,1795753262107,'01m8dkrepa40v6tk22sd4m9z5x',1795753262107,'01m8dkrepa40v6tk22sd4m9z5x',X'3ED4D57E24CCC0281AB6BD936D0317FC');
CREATE TABLE users (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    organisation TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    password_hash TEXT NOT NULL,
    password_at BIGINT NOT NULL,
    must_change BOOLEAN NOT NULL,
    totp_secret TEXT,
    totp_is_on BOOLEAN NOT NULL,
    totp_step BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name),
    FOREIGN KEY(organisation) REFERENCES organisations (id)
);
INSERT INTO "users" VALUES('01m8dkre8w50dccxdnvszerhv3','admin','spb',1,'$argon2id$v=19$m=64,t=1,p=1$BGVeCBouOgbWPDC18CK4Uw$g9ySzHTUdfH7lriTquhDKNqirI3tCbbVOY8YzizOeps',1795753261340,0,NULL,0,0,1,1795753261340,'set-up',1795753261340,'set-up',X'7C5955EC5FAF7BCCD7FD502CA7378734');
INSERT INTO "users" VALUES('01m8dkrepa40v6tk22sd4m9z5x','li','spb-sz',1,'$argon2id$v=19$m=64,t=1,p=1$l4V57LYuD5UPWXRlvkfoPg$3WeDkxW/+Xy9tq++jE+K4+RhJldozEzI+jGmxuqKewc',1795753261828,0,NULL,0,0,1,1795753261770,'01m8dkre8w50dccxdnvszerhv3',1795753261770,'01m8dkre8w50dccxdnvszerhv3',X'2F03E40D43F1F81CA5B836A91E7C3E0C');
CREATE INDEX ix_attempts_at ON attempts (at);
CREATE INDEX audit_by_actor ON audit (actor, n);
CREATE INDEX audit_by_record ON audit (kind, record, n);
CREATE INDEX attachments_by_admin_code ON attachments (admin_code, created_at, id);
CREATE INDEX attachments_by_branch ON attachments (branch, created_at, id);
CREATE INDEX attachments_by_city ON attachments (city, created_at, id);
CREATE INDEX attachments_by_key ON attachments (created_at, id);
CREATE INDEX attachments_by_path ON attachments (path, created_at, id);
CREATE INDEX attachments_by_province ON attachments (province, created_at, id);
CREATE INDEX attachments_by_root ON attachments (root, created_at, id);
CREATE INDEX campaigns_by_admin_code ON campaigns (admin_code, starts_at, id);
CREATE INDEX campaigns_by_branch ON campaigns (branch, starts_at, id);
CREATE INDEX campaigns_by_city ON campaigns (city, starts_at, id);
CREATE INDEX campaigns_by_key ON campaigns (starts_at, id);
CREATE INDEX campaigns_by_path ON campaigns (path, starts_at, id);
CREATE INDEX campaigns_by_province ON campaigns (province, starts_at, id);
CREATE INDEX campaigns_by_root ON campaigns (root, starts_at, id);
CREATE INDEX sites_by_admin_code ON sites (admin_code, site_id, id);
CREATE INDEX sites_by_branch ON sites (branch, site_id, id);
CREATE INDEX sites_by_city ON sites (city, site_id, id);
CREATE INDEX sites_by_key ON sites (site_id, id);
CREATE INDEX sites_by_path ON sites (path, site_id, id);
CREATE INDEX sites_by_province ON sites (province, site_id, id);
CREATE INDEX sites_by_root ON sites (root, site_id, id);
CREATE INDEX ix_users_organisation ON users (organisation);
CREATE INDEX ix_grants_user ON grants (user);
CREATE INDEX inspections_by_admin_code ON inspections (admin_code, planned_at, id);
CREATE INDEX inspections_by_branch ON inspections (branch, planned_at, id);
CREATE INDEX inspections_by_city ON inspections (city, planned_at, id);
CREATE INDEX inspections_by_key ON inspections (planned_at, id);
CREATE INDEX inspections_by_path ON inspections (path, planned_at, id);
CREATE INDEX inspections_by_province ON inspections (province, planned_at, id);
CREATE INDEX inspections_by_root ON inspections (root, planned_at, id);
CREATE INDEX ix_inspections_inspector ON inspections (inspector);
CREATE INDEX ix_inspections_site ON inspections (site);
CREATE INDEX ix_passes_user ON passes (user);
CREATE INDEX ix_recovery_codes_user ON recovery_codes (user);
CREATE INDEX ix_tasks_owner ON tasks (owner);
CREATE INDEX ix_tasks_parent ON tasks (parent);
CREATE INDEX tasks_by_admin_code ON tasks (admin_code, deadline, id);
CREATE INDEX tasks_by_branch ON tasks (branch, deadline, id);
CREATE INDEX tasks_by_city ON tasks (city, deadline, id);
CREATE INDEX tasks_by_key ON tasks (deadline, id);
CREATE INDEX tasks_by_path ON tasks (path, deadline, id);
CREATE INDEX tasks_by_province ON tasks (province, deadline, id);
CREATE INDEX tasks_by_root ON tasks (root, deadline, id);
CREATE INDEX finds_by_admin_code ON finds (admin_code, found_at, id);
CREATE INDEX finds_by_branch ON finds (branch, found_at, id);
CREATE INDEX finds_by_city ON finds (city, found_at, id);
CREATE INDEX finds_by_key ON finds (found_at, id);
CREATE INDEX finds_by_path ON finds (path, found_at, id);
CREATE INDEX finds_by_province ON finds (province, found_at, id);
CREATE INDEX finds_by_root ON finds (root, found_at, id);
CREATE INDEX ix_finds_campaign ON finds (campaign);
CREATE INDEX ix_finds_inspection ON finds (inspection);
CREATE INDEX ix_finds_site ON finds (site);
CREATE INDEX hazards_by_admin_code ON hazards (admin_code, deadline, id);
CREATE INDEX hazards_by_branch ON hazards (branch, deadline, id);
CREATE INDEX hazards_by_city ON hazards (city, deadline, id);
CREATE INDEX hazards_by_key ON hazards (deadline, id);
CREATE INDEX hazards_by_path ON hazards (path, deadline, id);
CREATE INDEX hazards_by_province ON hazards (province, deadline, id);
CREATE INDEX hazards_by_root ON hazards (root, deadline, id);
CREATE INDEX ix_hazards_inspection ON hazards (inspection);
CREATE INDEX ix_hazards_owner ON hazards (owner);
CREATE INDEX ix_hazards_site ON hazards (site);
CREATE INDEX ix_rectifications_hazard ON rectifications (hazard);
CREATE INDEX ix_rectifications_owner ON rectifications (owner);
CREATE INDEX rectifications_by_admin_code ON rectifications (admin_code, deadline, id);
CREATE INDEX rectifications_by_branch ON rectifications (branch, deadline, id);
CREATE INDEX rectifications_by_city ON rectifications (city, deadline, id);
CREATE INDEX rectifications_by_key ON rectifications (deadline, id);
CREATE INDEX rectifications_by_path ON rectifications (path, deadline, id);
CREATE INDEX rectifications_by_province ON rectifications (province, deadline, id);
CREATE INDEX rectifications_by_root ON rectifications (root, deadline, id);
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is never changed'); END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is never deleted'); END;
COMMIT;
