// 10,000 made-up modules, the same in every run, and what is looked for among them. Relevance is judged by what was
// meant, not by what was typed: a query with a slip means the word without it.

const THINGS = "svg png jpeg gif webp audio video mp3 flac midi font text unicode markdown html css json yaml toml xml csv sql graph tree matrix vector tensor polygon mesh shader texture sprite voxel noise terrain weather map geo route address phone email url dns http socket packet frame stream queue cache index bloom filter hash checksum cipher signature key password token session cookie ledger invoice currency tax calendar date timezone duration clock random uuid number fraction bignum complex prime sudoku chess maze card dice puzzle regex grammar parser lexer template diff patch archive zip tar brotli zstd base64 hex ascii emoji barcode qr receipt label chart plot table sheet form survey quiz poem music chord tempo color palette gradient icon cursor window layout grid".split(" ");
const ACTS = "render encode decode compress expand parse print format validate check sort merge split search match replace convert transform resize rotate crop blur sharpen mix filter sample detect measure count estimate solve generate simulate predict classify cluster rank score route plan schedule trace debug profile test fuzz inspect compare".split(" ");
const FILLER = "a the for and of with in fast small simple pure tiny safe portable streaming incremental parallel without allocation in place by hand well known standard reference compatible strict lenient modern classic generic typed tested complete minimal library tool helper module code from to your own data files pictures numbers texts people every any large short long many few".split(" ");
const SYLLABLES = "ba ko ri ta mel nor dex quo sil var zen lum pra tho gil wex".split(" ");

/** Mulberry32: small, and the same everywhere. */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Some words are frequent, most are rare. */
const drawn = (list, chance) => list[Math.floor(list.length * chance() ** 2)];

export function documents(count) {
  const chance = random(2026);
  const made = () => Array.from({ length: 2 + Math.floor(chance() * 2) }, () => SYLLABLES[Math.floor(chance() * SYLLABLES.length)]).join("");
  return Array.from({ length: count }, (_, nth) => {
    const [thing, act, other] = [drawn(THINGS, chance), drawn(ACTS, chance), drawn(THINGS, chance)];
    const kind = chance();
    const brand = made();
    const name = kind < 0.4 ? `${thing}-${act}-${brand}` : kind < 0.7 ? `${brand}-${thing}` : `${brand}-${nth.toString(36)}`;
    const filler = Array.from({ length: 6 + Math.floor(chance() * 20) }, () => drawn(FILLER, chance));
    filler.splice(2, 0, act, thing);
    if (chance() < 0.5) filler.push("and", other, drawn(ACTS, chance));
    if (chance() < 0.3) filler.push(made());
    return {
      key: `m${nth}`, name: `${name}${kind < 0.7 ? `-${nth.toString(36)}` : ""}`,
      title: chance() < 0.6 ? `${brand} ${act}s ${thing}` : "",
      description: filler.join(" "),
      tags: [thing, ...(chance() < 0.5 ? [other] : [])],
      owner: `did:gen:z${nth % 700}`, owner_name: `${SYLLABLES[nth % 16]}${SYLLABLES[(nth * 7) % 16]}_${nth % 700}`,
      imports: chance() < 0.3 ? ["env.log"] : [],
      exports: [`${act}_${thing}`, "memory"],
      numbers: { published_at: 1_700_000_000_000 + nth, downloads: Math.floor(chance() * 1000), score: 3 + chance(), size: 1000 + nth },
    };
  });
}

/** `text` is typed, `means` is what is meant. */
export function queries() {
  const chance = random(7);
  const made = [];
  const pick = (list) => list[Math.floor(list.length * chance())];
  const slip = (word) => {
    const at = 1 + Math.floor(chance() * (word.length - 2));
    const kind = chance();
    if (kind < 0.4) return word.slice(0, at) + word.slice(at + 1);
    if (kind < 0.7) return word.slice(0, at) + word[at + 1] + word[at] + word.slice(at + 2);
    return `${word.slice(0, at)}x${word.slice(at + 1)}`;
  };
  const long = THINGS.filter((word) => word.length >= 5);
  for (let n = 0; n < 40; n++) {
    const [thing, act] = [pick(THINGS), pick(ACTS)];
    made.push({ kind: "one word", text: thing, means: [thing] });
    made.push({ kind: "two words", text: `${act} ${thing}`, means: [act, thing] });
    const begun = pick(long);
    made.push({ kind: "unfinished", text: begun.slice(0, Math.ceil(begun.length * 0.6)), means: [begun] });
    made.push({ kind: "two, unfinished", text: `${thing} ${act.slice(0, Math.max(3, act.length - 2))}`, means: [thing, act] });
    const misspelt = pick(long);
    made.push({ kind: "a slip", text: slip(misspelt), means: [misspelt] });
  }
  return made;
}

/** The name counts more than the title, that more than the tags, those more than the description. */
export function gain(document, query) {
  const { name, title, tags, description } = document;
  const words = (text) => text.toLowerCase().split(/[^a-z0-9]+/);
  const each = query.means.map((word) => {
    if (words(name).includes(word)) return 8;
    if (words(title).includes(word)) return 4;
    if (tags.includes(word)) return 3;
    return words(description).includes(word) ? 1 : 0;
  });
  return each.every((gain) => gain > 0) ? each.reduce((one, other) => one + other) / each.length : 0;
}
