CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE labels (
    id UUID NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    color TEXT COLLATE "C" NOT NULL,
    deleted_at TIMESTAMPTZ,
    CONSTRAINT pk_labels PRIMARY KEY (id),
    CONSTRAINT ck_labels_team CHECK (length("team") <= 10000),
    CONSTRAINT ck_labels_name CHECK (length("name") <= 10000),
    CONSTRAINT ck_labels_color CHECK (length("color") <= 10000)
);

CREATE INDEX ix_labels_team ON labels (team, id);

CREATE INDEX ix_labels_team_name ON labels (team, name, id);

CREATE UNIQUE INDEX uq_labels_color ON labels (team, color) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX uq_labels_name_color ON labels (team, name, color) WHERE deleted_at IS NULL;

CREATE TABLE sternpost_audit (
    id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    actor TEXT COLLATE "C",
    operation TEXT COLLATE "C",
    request_id TEXT COLLATE "C",
    action TEXT COLLATE "C" NOT NULL,
    resource TEXT COLLATE "C" NOT NULL,
    row_id TEXT COLLATE "C" NOT NULL,
    tenant TEXT COLLATE "C",
    before JSONB,
    after JSONB,
    CONSTRAINT pk_sternpost_audit PRIMARY KEY (id)
);

CREATE INDEX ix_sternpost_audit_actor ON sternpost_audit (actor, id);

CREATE INDEX ix_sternpost_audit_row_id ON sternpost_audit (row_id, id);

CREATE TABLE sternpost_idempotency (
    id BYTEA NOT NULL,
    request BYTEA NOT NULL,
    head TEXT COLLATE "C" NOT NULL,
    body BYTEA NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_sternpost_idempotency PRIMARY KEY (id)
);

CREATE INDEX ix_sternpost_idempotency_expires_at ON sternpost_idempotency (expires_at);

CREATE TABLE sternpost_schema (
    fingerprint TEXT NOT NULL,
    created_at TEXT NOT NULL
);

CREATE TABLE tasks (
    id UUID NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    secret TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL,
    since DATE,
    due DATE,
    urgency TEXT COLLATE "C" NOT NULL,
    spot JSONB,
    parent_id UUID,
    label_id UUID,
    version BIGINT NOT NULL,
    deleted_at TIMESTAMPTZ,
    CONSTRAINT pk_tasks PRIMARY KEY (id),
    CONSTRAINT ck_tasks_team CHECK (length("team") <= 10000),
    CONSTRAINT ck_tasks_title CHECK (length("title") <= 10000),
    CONSTRAINT ck_tasks_secret CHECK (length("secret") <= 10000),
    CONSTRAINT ck_tasks_state CHECK ("state" IN ('open', 'done')),
    CONSTRAINT ck_tasks_urgency CHECK ("urgency" IN ('low', 'mid', 'high')),
    CONSTRAINT rule_tasks_done_when_due CHECK ("state" = 'open' OR "due" IS NOT NULL),
    CONSTRAINT rule_tasks_parent_id_ne_id CHECK ("parent_id" <> "id"),
    CONSTRAINT rule_tasks_since_before_due CHECK ("since" < "due"),
    CONSTRAINT fk_tasks_parent_id FOREIGN KEY(parent_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT fk_tasks_label_id FOREIGN KEY(label_id) REFERENCES labels (id) ON DELETE SET NULL
);

CREATE INDEX ix_tasks_label_id ON tasks (label_id, id);

CREATE INDEX ix_tasks_parent_id ON tasks (parent_id, id);

CREATE INDEX ix_tasks_team ON tasks (team, id);

CREATE INDEX ix_tasks_team_state ON tasks (team, state, id);

CREATE INDEX ix_tasks_team_title ON tasks (team, title, id);

CREATE INDEX ix_tasks_team_urgency ON tasks (team, urgency, id);

CREATE INDEX ix_tasks_team_urgency_rank ON tasks (team, (CASE "urgency" WHEN 'low' THEN 0 WHEN 'mid' THEN 1 WHEN 'high' THEN 2 END), id);

CREATE TABLE steps (
    id UUID NOT NULL,
    task_id UUID NOT NULL,
    text TEXT COLLATE "C" NOT NULL,
    label_id UUID,
    position INTEGER NOT NULL,
    CONSTRAINT pk_steps PRIMARY KEY (id),
    CONSTRAINT ck_steps_text CHECK (length("text") <= 10000),
    CONSTRAINT fk_steps_task_id FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT fk_steps_label_id FOREIGN KEY(label_id) REFERENCES labels (id) ON DELETE RESTRICT
);

CREATE INDEX ix_steps_label_id ON steps (label_id, id);

CREATE INDEX ix_steps_task_id ON steps (task_id, id);

CREATE TABLE task_labels (
    task_id UUID NOT NULL,
    label_id UUID NOT NULL,
    CONSTRAINT pk_task_labels PRIMARY KEY (task_id, label_id),
    CONSTRAINT fk_task_labels_task_id FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT fk_task_labels_label_id FOREIGN KEY(label_id) REFERENCES labels (id) ON DELETE CASCADE
);

CREATE INDEX ix_task_labels_label_id ON task_labels (label_id);

ALTER TABLE "tasks" ADD CONSTRAINT "overlap_tasks_team_label_id_since_due" EXCLUDE USING gist ("team" WITH =, "label_id" WITH =, daterange("since", "due", '[)') WITH &&) WHERE ("deleted_at" IS NULL AND ("state" IN ('open')));

CREATE OR REPLACE FUNCTION sternpost_overlap_wait() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    keys text := TG_ARGV[0];
BEGIN
    FOR number IN 1 .. TG_NARGS - 1 LOOP
        keys := keys || E'\n' || coalesce(lower(to_jsonb(NEW) ->> TG_ARGV[number]), '');
    END LOOP;
    PERFORM pg_advisory_xact_lock(hashtextextended(keys, 0));
    RETURN NEW;
END $$;

CREATE TRIGGER "overlap_tasks_team_label_id_since_due" BEFORE INSERT OR UPDATE OF "deleted_at", "due", "label_id", "since", "state", "team" ON "tasks"
FOR EACH ROW WHEN (NEW."deleted_at" IS NULL AND (NEW."state" IN ('open'))) EXECUTE FUNCTION sternpost_overlap_wait('overlap_tasks_team_label_id_since_due', 'team', 'label_id');

CREATE OR REPLACE FUNCTION sternpost_words(VARIADIC texts text[]) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    found text[] := '{}';
    room integer := 250000;
    t text;
BEGIN
    FOR number IN 1 .. cardinality(texts) LOOP
        CONTINUE WHEN texts[number] IS NULL;
        t := lower(left(texts[number], room) COLLATE "C");
        room := room - length(t);
        IF t ~ ('[^\u0001-\u007f]' COLLATE "C") THEN
            IF t ~ ('[\u00b5\u00c0-\u00de]' COLLATE "C") THEN
                t := translate(t, 'µÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞ', 'μàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþ');
            END IF;
            IF t ~ ('[\u0100-\u01bc\u01c4-\u0232\u023a-\u024e]' COLLATE "C") THEN
                t := translate(t, 'ĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮĲĴĶĹĻĽĿŁŃŅŇŊŌŎŐŒŔŖŘŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶŸŹŻŽſƁƂƄƆƇƉƊƋƎƏƐƑƓƔƖƗƘƜƝƟƠƢƤƦƧƩƬƮƯƱƲƳƵƷƸƼǄǅǇǈǊǋǍǏǑǓǕǗǙǛǞǠǢǤǦǨǪǬǮǱǲǴǶǷǸǺǼǾȀȂȄȆȈȊȌȎȐȒȔȖȘȚȜȞȠȢȤȦȨȪȬȮȰȲȺȻȽȾɁɃɄɅɆɈɊɌɎ', 'āăąćĉċčďđēĕėęěĝğġģĥħĩīĭįĳĵķĺļľŀłńņňŋōŏőœŕŗřśŝşšţťŧũūŭůűųŵŷÿźżžsɓƃƅɔƈɖɗƌǝəɛƒɠɣɩɨƙɯɲɵơƣƥʀƨʃƭʈưʊʋƴƶʒƹƽǆǆǉǉǌǌǎǐǒǔǖǘǚǜǟǡǣǥǧǩǫǭǯǳǳǵƕƿǹǻǽǿȁȃȅȇȉȋȍȏȑȓȕȗșțȝȟƞȣȥȧȩȫȭȯȱȳⱥȼƚⱦɂƀʉʌɇɉɋɍɏ');
            END IF;
            IF t ~ ('[\u0345\u0370-\u0376\u0386-\u03ab\u03c2\u03cf-\u03ff]' COLLATE "C") THEN
                t := translate(t, 'ͅͰͲͶΆΈΉΊΌΎΏΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫςϏϐϑϕϖϘϚϜϞϠϢϤϦϨϪϬϮϰϱϴϵϷϹϺϽϾϿ', 'ιͱͳͷάέήίόύώαβγδεζηθικλμνξοπρστυφχψωϊϋσϗβθφπϙϛϝϟϡϣϥϧϩϫϭϯκρθεϸϲϻͻͼͽ');
            END IF;
            IF t ~ ('[\u0400-\u042f\u0460-\u0480\u048a-\u0526]' COLLATE "C") THEN
                t := translate(t, 'ЀЁЂЃЄЅІЇЈЉЊЋЌЍЎЏАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯѠѢѤѦѨѪѬѮѰѲѴѶѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼҾӀӁӃӅӇӉӋӍӐӒӔӖӘӚӜӞӠӢӤӦӨӪӬӮӰӲӴӶӸӺӼӾԀԂԄԆԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦ', 'ѐёђѓєѕіїјљњћќѝўџабвгдежзийклмнопрстуфхцчшщъыьэюяѡѣѥѧѩѫѭѯѱѳѵѷѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽҿӏӂӄӆӈӊӌӎӑӓӕӗәӛӝӟӡӣӥӧөӫӭӯӱӳӵӷӹӻӽӿԁԃԅԇԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧ');
            END IF;
            IF t ~ ('[\u0531-\u0556\u10a0-\u10c7\u10cd]' COLLATE "C") THEN
                t := translate(t, 'ԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖႠႡႢႣႤႥႦႧႨႩႪႫႬႭႮႯႰႱႲႳႴႵႶႷႸႹႺႻႼႽႾႿჀჁჂჃჄჅჇჍ', 'աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆⴀⴁⴂⴃⴄⴅⴆⴇⴈⴉⴊⴋⴌⴍⴎⴏⴐⴑⴒⴓⴔⴕⴖⴗⴘⴙⴚⴛⴜⴝⴞⴟⴠⴡⴢⴣⴤⴥⴧⴭ');
            END IF;
            IF t ~ ('[\u1e00-\u1e94\u1e9b-\u1efe]' COLLATE "C") THEN
                t := translate(t, 'ḀḂḄḆḈḊḌḎḐḒḔḖḘḚḜḞḠḢḤḦḨḪḬḮḰḲḴḶḸḺḼḾṀṂṄṆṈṊṌṎṐṒṔṖṘṚṜṞṠṢṤṦṨṪṬṮṰṲṴṶṸṺṼṾẀẂẄẆẈẊẌẎẐẒẔẛẞẠẢẤẦẨẪẬẮẰẲẴẶẸẺẼẾỀỂỄỆỈỊỌỎỐỒỔỖỘỚỜỞỠỢỤỦỨỪỬỮỰỲỴỶỸỺỼỾ', 'ḁḃḅḇḉḋḍḏḑḓḕḗḙḛḝḟḡḣḥḧḩḫḭḯḱḳḵḷḹḻḽḿṁṃṅṇṉṋṍṏṑṓṕṗṙṛṝṟṡṣṥṧṩṫṭṯṱṳṵṷṹṻṽṿẁẃẅẇẉẋẍẏẑẓẕṡßạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹỻỽỿ');
            END IF;
            IF t ~ ('[\u1f08-\u1f0f\u1f18-\u1f1d\u1f28-\u1f2f\u1f38-\u1f3f\u1f48-\u1f4d\u1f59-\u1f5f\u1f68-\u1f6f\u1f88-\u1f8f\u1f98-\u1f9f\u1fa8-\u1faf\u1fb8-\u1fbe\u1fc8-\u1fcc\u1fd8-\u1fdb\u1fe8-\u1fec\u1ff8-\u1ffc\u2126-\u212b\u2132\u2160-\u216f\u2183\u2c00-\u2c2e\u2c60-\u2c75\u2c7e-\u2ce2\u2ceb-\u2ced\u2cf2\ua640-\ua66c\ua680-\ua696\ua722-\ua76e\ua779-\ua786\ua78b-\ua792\ua7a0-\ua7aa\uff21-\uff3a\U00010400-\U00010427]' COLLATE "C") THEN
                t := translate(t, 'ἈἉἊἋἌἍἎἏἘἙἚἛἜἝἨἩἪἫἬἭἮἯἸἹἺἻἼἽἾἿὈὉὊὋὌὍὙὛὝὟὨὩὪὫὬὭὮὯᾈᾉᾊᾋᾌᾍᾎᾏᾘᾙᾚᾛᾜᾝᾞᾟᾨᾩᾪᾫᾬᾭᾮᾯᾸᾹᾺΆᾼιῈΈῊΉῌῘῙῚΊῨῩῪΎῬῸΌῺΏῼΩKÅℲⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩⅪⅫⅬⅭⅮⅯↃⰀⰁⰂⰃⰄⰅⰆⰇⰈⰉⰊⰋⰌⰍⰎⰏⰐⰑⰒⰓⰔⰕⰖⰗⰘⰙⰚⰛⰜⰝⰞⰟⰠⰡⰢⰣⰤⰥⰦⰧⰨⰩⰪⰫⰬⰭⰮⱠⱢⱣⱤⱧⱩⱫⱭⱮⱯⱰⱲⱵⱾⱿⲀⲂⲄⲆⲈⲊⲌⲎⲐⲒⲔⲖⲘⲚⲜⲞⲠⲢⲤⲦⲨⲪⲬⲮⲰⲲⲴⲶⲸⲺⲼⲾⳀⳂⳄⳆⳈⳊⳌⳎⳐⳒⳔⳖⳘⳚⳜⳞⳠⳢⳫⳭⳲꙀꙂꙄꙆꙈꙊꙌꙎꙐꙒꙔꙖꙘꙚꙜꙞꙠꙢꙤꙦꙨꙪꙬꚀꚂꚄꚆꚈꚊꚌꚎꚐꚒꚔꚖꜢꜤꜦꜨꜪꜬꜮꜲꜴꜶꜸꜺꜼꜾꝀꝂꝄꝆꝈꝊꝌꝎꝐꝒꝔꝖꝘꝚꝜꝞꝠꝢꝤꝦꝨꝪꝬꝮꝹꝻꝽꝾꞀꞂꞄꞆꞋꞍꞐꞒꞠꞢꞤꞦꞨꞪＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ𐐀𐐁𐐂𐐃𐐄𐐅𐐆𐐇𐐈𐐉𐐊𐐋𐐌𐐍𐐎𐐏𐐐𐐑𐐒𐐓𐐔𐐕𐐖𐐗𐐘𐐙𐐚𐐛𐐜𐐝𐐞𐐟𐐠𐐡𐐢𐐣𐐤𐐥𐐦𐐧', 'ἀἁἂἃἄἅἆἇἐἑἒἓἔἕἠἡἢἣἤἥἦἧἰἱἲἳἴἵἶἷὀὁὂὃὄὅὑὓὕὗὠὡὢὣὤὥὦὧᾀᾁᾂᾃᾄᾅᾆᾇᾐᾑᾒᾓᾔᾕᾖᾗᾠᾡᾢᾣᾤᾥᾦᾧᾰᾱὰάᾳιὲέὴήῃῐῑὶίῠῡὺύῥὸόὼώῳωkåⅎⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹⅺⅻⅼⅽⅾⅿↄⰰⰱⰲⰳⰴⰵⰶⰷⰸⰹⰺⰻⰼⰽⰾⰿⱀⱁⱂⱃⱄⱅⱆⱇⱈⱉⱊⱋⱌⱍⱎⱏⱐⱑⱒⱓⱔⱕⱖⱗⱘⱙⱚⱛⱜⱝⱞⱡɫᵽɽⱨⱪⱬɑɱɐɒⱳⱶȿɀⲁⲃⲅⲇⲉⲋⲍⲏⲑⲓⲕⲗⲙⲛⲝⲟⲡⲣⲥⲧⲩⲫⲭⲯⲱⲳⲵⲷⲹⲻⲽⲿⳁⳃⳅⳇⳉⳋⳍⳏⳑⳓⳕⳗⳙⳛⳝⳟⳡⳣⳬⳮⳳꙁꙃꙅꙇꙉꙋꙍꙏꙑꙓꙕꙗꙙꙛꙝꙟꙡꙣꙥꙧꙩꙫꙭꚁꚃꚅꚇꚉꚋꚍꚏꚑꚓꚕꚗꜣꜥꜧꜩꜫꜭꜯꜳꜵꜷꜹꜻꜽꜿꝁꝃꝅꝇꝉꝋꝍꝏꝑꝓꝕꝗꝙꝛꝝꝟꝡꝣꝥꝧꝩꝫꝭꝯꝺꝼᵹꝿꞁꞃꞅꞇꞌɥꞑꞓꞡꞣꞥꞧꞩɦａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ𐐨𐐩𐐪𐐫𐐬𐐭𐐮𐐯𐐰𐐱𐐲𐐳𐐴𐐵𐐶𐐷𐐸𐐹𐐺𐐻𐐼𐐽𐐾𐐿𐑀𐑁𐑂𐑃𐑄𐑅𐑆𐑇𐑈𐑉𐑊𐑋𐑌𐑍𐑎𐑏');
            END IF;
            t := regexp_replace(t, '[^\u0030-\u0039\u0041-\u005a\u0061-\u007a\u00aa\u00b2-\u00b3\u00b5\u00b9-\u00ba\u00bc-\u00be\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02c1\u02c6-\u02d1\u02e0-\u02e4\u02ec\u02ee\u0300-\u0374\u0376-\u037d\u037f-\u0383\u0386\u0388-\u03f5\u03f7-\u0481\u0483-\u0559\u0560-\u0588\u058b-\u058e\u0590-\u05bd\u05bf\u05c1-\u05c2\u05c4-\u05c5\u05c7-\u05f2\u05f5-\u05ff\u0605\u0610-\u061a\u061c-\u061d\u0620-\u0669\u066e-\u06d3\u06d5-\u06dc\u06df-\u06e8\u06ea-\u06fc\u06ff\u070e\u0710-\u07f5\u07fa-\u082f\u083f-\u085d\u085f-\u0963\u0966-\u096f\u0971-\u09f1\u09f4-\u09f9\u09fc-\u0aef\u0af2-\u0b6f\u0b71-\u0bf2\u0bfb-\u0c7e\u0c80-\u0d78\u0d7a-\u0df3\u0df5-\u0e3e\u0e40-\u0e4e\u0e50-\u0e59\u0e5c-\u0f00\u0f18-\u0f19\u0f20-\u0f33\u0f35\u0f37\u0f39\u0f3e-\u0f84\u0f86-\u0fbd\u0fc6\u0fcd\u0fdb-\u1049\u1050-\u109d\u10a0-\u10fa\u10fc-\u135f\u1369-\u138f\u139a-\u13ff\u1401-\u166c\u166f-\u167f\u1681-\u169a\u169d-\u16ea\u16ee-\u1734\u1737-\u17d3\u17d7\u17dc-\u17ff\u180b-\u180d\u180f-\u193f\u1941-\u1943\u1946-\u19dd\u1a00-\u1a1d\u1a20-\u1a9f\u1aa7\u1aae-\u1b59\u1b6b-\u1b73\u1b7d-\u1bfb\u1c00-\u1c3a\u1c40-\u1c7d\u1c80-\u1cbf\u1cc8-\u1cd2\u1cd4-\u1fbc\u1fbe\u1fc2-\u1fcc\u1fd0-\u1fdc\u1fe0-\u1fec\u1ff0-\u1ffc\u1fff\u2065-\u2069\u2070-\u2079\u207f-\u2089\u208f-\u209f\u20ba-\u20ff\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2139\u213c-\u213f\u2145-\u2149\u214e\u2150-\u218f\u23f4-\u23ff\u2427-\u243f\u244b-\u249b\u24ea-\u24ff\u2700\u2776-\u2793\u2b4d-\u2b4f\u2b5a-\u2ce4\u2ceb-\u2cf8\u2cfd\u2d00-\u2d6f\u2d71-\u2dff\u2e2f\u2e3c-\u2e7f\u2e9a\u2ef4-\u2eff\u2fd6-\u2fef\u2ffc-\u2fff\u3005-\u3007\u3021-\u302f\u3031-\u3035\u3038-\u303c\u3040-\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u318f\u3192-\u3195\u31a0-\u31bf\u31e4-\u31ff\u321f-\u3229\u3248-\u324f\u3251-\u325f\u3280-\u3289\u32b1-\u32bf\u32ff\u3400-\u4dbf\u4e00-\ua48f\ua4c7-\ua4fd\ua500-\ua60c\ua610-\ua672\ua674-\ua67d\ua67f-\ua6f1\ua6f8-\ua6ff\ua717-\ua71f\ua722-\ua788\ua78b-\ua827\ua82c-\ua835\ua83a-\ua873\ua878-\ua8cd\ua8d0-\ua8f7\ua8fb-\ua92d\ua930-\ua95e\ua960-\ua9c0\ua9ce-\ua9dd\ua9e0-\uaa5b\uaa60-\uaa76\uaa7a-\uaadd\uaae0-\uaaef\uaaf2-\uabea\uabec-\ud7ff\ue001-\uf8fe\uf900-\ufb28\ufb2a-\ufbb1\ufbc2-\ufd3d\ufd40-\ufdfb\ufdfe-\ufe0f\ufe1a-\ufe2f\ufe53\ufe67\ufe6c-\ufefe\uff00\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff66-\uffdf\uffe7\uffef-\ufff8\U00010000-\U000100ff\U00010103-\U00010136\U00010140-\U00010178\U0001018a-\U0001018f\U0001019c-\U000101cf\U000101fd-\U0001039e\U000103a0-\U000103cf\U000103d1-\U00010856\U00010858-\U0001091e\U00010920-\U0001093e\U00010940-\U00010a4f\U00010a59-\U00010a7e\U00010a80-\U00010b38\U00010b40-\U00011046\U0001104e-\U000110ba\U000110c2-\U0001113f\U00011144-\U000111c4\U000111c9-\U0001246f\U00012474-\U0001cfff\U0001d0f6-\U0001d0ff\U0001d127-\U0001d128\U0001d165-\U0001d169\U0001d16d-\U0001d172\U0001d17b-\U0001d182\U0001d185-\U0001d18b\U0001d1aa-\U0001d1ad\U0001d1de-\U0001d1ff\U0001d242-\U0001d244\U0001d246-\U0001d2ff\U0001d357-\U0001d6c0\U0001d6c2-\U0001d6da\U0001d6dc-\U0001d6fa\U0001d6fc-\U0001d714\U0001d716-\U0001d734\U0001d736-\U0001d74e\U0001d750-\U0001d76e\U0001d770-\U0001d788\U0001d78a-\U0001d7a8\U0001d7aa-\U0001d7c2\U0001d7c4-\U0001eeef\U0001eef2-\U0001efff\U0001f02c-\U0001f02f\U0001f094-\U0001f09f\U0001f0af-\U0001f0b0\U0001f0bf-\U0001f0c0\U0001f0d0\U0001f0e0-\U0001f10f\U0001f12f\U0001f16c-\U0001f16f\U0001f19b-\U0001f1e5\U0001f203-\U0001f20f\U0001f23b-\U0001f23f\U0001f249-\U0001f24f\U0001f252-\U0001f2ff\U0001f321-\U0001f32f\U0001f336\U0001f37d-\U0001f37f\U0001f394-\U0001f39f\U0001f3c5\U0001f3cb-\U0001f3df\U0001f3f1-\U0001f3ff\U0001f43f\U0001f441\U0001f4f8\U0001f4fd-\U0001f4ff\U0001f53e-\U0001f53f\U0001f544-\U0001f54f\U0001f568-\U0001f5fa\U0001f641-\U0001f644\U0001f650-\U0001f67f\U0001f6c6-\U0001f6ff\U0001f774-\U000e0000\U000e0002-\U000e001f\U000e0080-\U000effff\U000f0001-\U000ffffc\U000ffffe-\U0010ffff]+' COLLATE "C", ' ', 'g');
        ELSE
            t := regexp_replace(t, '[^0-9a-z]+' COLLATE "C", ' ', 'g');
        END IF;
        t := btrim(regexp_replace(t, '([^ ]{201})[^ ]+' COLLATE "C", '\1', 'g'));
        CONTINUE WHEN t = '';
        found := found || string_to_array(chr(96 + number) || replace(t, ' ', ' ' || chr(96 + number)), ' ');
    END LOOP;
    RETURN array_to_tsvector(found);
END $$;

CREATE OR REPLACE FUNCTION sternpost_words_kept() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    texts text[] := '{}';
    new_row jsonb;
BEGIN
    NEW._words := NULL;
    new_row := to_jsonb(NEW);
    FOR number IN 0 .. TG_NARGS - 1 LOOP
        texts := array_append(texts, new_row ->> TG_ARGV[number]);
    END LOOP;
    NEW._words := sternpost_words(VARIADIC texts);
    RETURN NEW;
END $$;

ALTER TABLE "tasks" ADD COLUMN "_words" tsvector;

CREATE TRIGGER "sternpost_search_tasks" BEFORE INSERT OR UPDATE OF "title", "secret" ON "tasks"
FOR EACH ROW EXECUTE FUNCTION sternpost_words_kept('title', 'secret');

CREATE INDEX "sternpost_search_tasks" ON "tasks" USING gin ("_words");

CREATE OR REPLACE FUNCTION sternpost_audit_row() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    origin jsonb := coalesce(nullif(current_setting('sternpost.audit', true), ''), '{}')::jsonb;
    masked text[] := TG_ARGV[3];
    deleted text := TG_ARGV[4];
    was jsonb := '{}';
    becomes jsonb := '{}';
    before jsonb;
    after jsonb;
    action text := CASE TG_OP WHEN 'INSERT' THEN 'create' WHEN 'DELETE' THEN 'delete' ELSE 'update' END;
BEGIN
    IF TG_OP <> 'INSERT' THEN was := to_jsonb(OLD); END IF;
    IF TG_OP <> 'DELETE' THEN becomes := to_jsonb(NEW); END IF;
    SELECT
        jsonb_object_agg(name, CASE WHEN name = ANY(masked) AND was->name <> 'null' THEN '"***"' ELSE was->name END),
        jsonb_object_agg(name, CASE WHEN name = ANY(masked) AND becomes->name <> 'null' THEN '"***"' ELSE becomes->name END)
    INTO before, after
    FROM unnest(TG_ARGV[2]::text[]) AS name
    WHERE TG_OP <> 'UPDATE' OR was->name IS DISTINCT FROM becomes->name;
    IF TG_OP = 'UPDATE' AND deleted <> '' AND (was->>deleted IS NULL) <> (becomes->>deleted IS NULL) THEN
        action := CASE WHEN becomes->>deleted IS NULL THEN 'restore' ELSE 'delete' END;
    ELSIF before IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO sternpost_audit (at, actor, operation, request_id, action, resource, row_id, tenant, before, after)
    VALUES (
        clock_timestamp(), origin->>'actor', origin->>'operation', origin->>'request_id', action, TG_ARGV[0],
        TG_ARGV[1] || '_' || replace(coalesce(becomes->>'id', was->>'id'), '-', ''),
        CASE WHEN TG_ARGV[6] = '' THEN coalesce(becomes->>TG_ARGV[5], was->>TG_ARGV[5])
             ELSE TG_ARGV[6] || '_' || replace(coalesce(becomes->>TG_ARGV[5], was->>TG_ARGV[5]), '-', '') END,
        CASE WHEN TG_OP <> 'INSERT' THEN coalesce(before, '{}') END,
        CASE WHEN TG_OP <> 'DELETE' THEN coalesce(after, '{}') END
    );
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION sternpost_audit_link() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    origin jsonb := coalesce(nullif(current_setting('sternpost.audit', true), ''), '{}')::jsonb;
    pair jsonb := CASE WHEN TG_OP = 'INSERT' THEN to_jsonb(NEW) ELSE to_jsonb(OLD) END;
    other jsonb := jsonb_build_object(TG_ARGV[2], TG_ARGV[5] || '_' || replace(pair->>TG_ARGV[4], '-', ''));
BEGIN
    INSERT INTO sternpost_audit (at, actor, operation, request_id, action, resource, row_id, before, after)
    VALUES (
        clock_timestamp(), origin->>'actor', origin->>'operation', origin->>'request_id',
        CASE TG_OP WHEN 'INSERT' THEN 'link' ELSE 'unlink' END, TG_ARGV[0],
        TG_ARGV[1] || '_' || replace(pair->>TG_ARGV[3], '-', ''),
        CASE WHEN TG_OP = 'DELETE' THEN other END,
        CASE WHEN TG_OP = 'INSERT' THEN other END
    );
    RETURN NULL;
END $$;

CREATE TRIGGER sternpost_audit AFTER INSERT OR UPDATE OR DELETE ON "tasks"
FOR EACH ROW EXECUTE FUNCTION sternpost_audit_row('Task', 'tas', '{id,team,title,secret,state,since,due,urgency,spot,parent_id,label_id,version}', '{secret}', 'deleted_at', 'team', '');

CREATE TRIGGER sternpost_audit_tas_labels AFTER INSERT OR DELETE ON "task_labels"
FOR EACH ROW EXECUTE FUNCTION sternpost_audit_link('Task', 'tas', 'labels', 'task_id', 'label_id', 'lab');

CREATE TRIGGER sternpost_audit AFTER INSERT OR UPDATE OR DELETE ON "steps"
FOR EACH ROW EXECUTE FUNCTION sternpost_audit_row('Step', 'ste', '{id,task_id,text,label_id}', '{}', '', '', '');
