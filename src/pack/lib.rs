//! Finishes what Trunk built: one stylesheet, the page's policy, the service worker's list of files, and brotli copies.
//!
//! It never invents content: every file it writes follows from the files that are there, so packing the same folder
//! twice gives the same bytes. It refuses a stylesheet that could not be joined with others, and an `index.html` or
//! `sw.js` without the places it fills in, instead of packing half.

pub mod policy;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// Smaller files gain nothing from compression.
const SMALLEST_COMPRESSED: usize = 256;
const BROTLI_WINDOW: u32 = 22;
/// Digits of a content hash in a file's name, as many as Trunk uses at most.
pub const NAME_HASH_DIGITS: usize = 16;
/// Trunk leaves out leading zeros; more than this many are not to be expected.
pub const NAME_HASH_DIGITS_MIN: usize = 10;
/// What a first visit may load before the page can be used, in bytes on the wire of a release.
pub const FIRST_LOAD_MAX_BYTES: u64 = 1_500_000;
/// Parts of the page's glue code, which loads them by itself.
const GLUE_FOLDER: &str = "/snippets/";

const COMPRESSED: [&str; 10] = ["css", "html", "js", "json", "md", "mjs", "svg", "txt", "wasm", "webmanifest"];
/// What the page does not need to start offline: texts for readers, pictures for the install dialog.
const NOT_KEPT_OFFLINE: [&str; 2] = [".d.ts", ".map"];
const NOT_KEPT_OFFLINE_FOLDERS: [&str; 1] = ["screenshots/"];

#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("could not {} {}", if *writing { "write" } else { "read" }, path.display())]
    File { path: PathBuf, writing: bool, source: io::Error },
    #[error("{file} has no {what}; pack does not know where to put its part")]
    NoPlace { file: &'static str, what: &'static str },
    #[error("index.html names the stylesheet {0}, which is not in the folder")]
    StylesheetMissing(String),
    #[error("the stylesheet {0} has an @import; joined with others it would be ignored")]
    StylesheetImports(String),
}

/// One file the service worker keeps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asset {
    /// As in a URL: `/index.html`.
    pub path: String,
    /// Hex of the SHA-256.
    pub sha256: String,
}

/// What a packing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    pub build: String,
    pub assets: Vec<Asset>,
    /// Bytes of the kept files as they are, and as they travel.
    pub bytes: u64,
    pub compressed_bytes: u64,
    /// See [`first_load`].
    pub first_load_bytes: u64,
}

/// Packs the folder in place.
pub fn pack(folder: &Path, quality: u32) -> Result<Packed, PackError> {
    remove_compressed(folder)?;
    let index_path = folder.join("index.html");
    let index = read_text(&index_path)?;
    let (index, stylesheets) = take_stylesheets(&index);
    let index = match stylesheets.as_slice() {
        [] => index,
        names => {
            let parts = names.iter().map(|name| read_stylesheet(folder, name)).collect::<Result<Vec<_>, _>>()?;
            let joined = join_stylesheets(&parts)?;
            for name in names {
                let path = folder.join(name);
                fs::remove_file(&path).map_err(|source| PackError::File { path, writing: true, source })?;
            }
            let name = format!("style-{}.css", &hex_sha256(joined.as_bytes())[..NAME_HASH_DIGITS]);
            write(&folder.join(&name), joined.as_bytes())?;
            put_stylesheet(&index, &name)?
        }
    };
    let index = mark_packed(&index, program_size(folder, &index))?;
    let index = policy::put_policy(&index).ok_or(PackError::NoPlace { file: "index.html", what: "<head>" })?;
    write(&index_path, index.as_bytes())?;
    write(&folder.join(policy::HEADERS_FILE), policy::headers_file().as_bytes())?;

    let worker_path = folder.join("sw.js");
    let worker = read_text(&worker_path)?;
    let mut assets = Vec::new();
    let mut bytes = 0;
    for path in walk(folder)? {
        let url = url_of(folder, &path);
        if kept_offline(&url) {
            let content = read(&path)?;
            bytes += content.len() as u64;
            assets.push(Asset { path: url, sha256: hex_sha256(&content) });
        }
    }
    assets.sort();
    let build = build_id(&fill_worker(&worker, "", &[])?, &assets);
    write(&worker_path, fill_worker(&worker, &build, &assets)?.as_bytes())?;

    let on_the_wire = compress(folder, quality)?;
    let kept = |(url, _): &(&String, &u64)| kept_offline(url);
    let compressed_bytes = on_the_wire.iter().filter(kept).map(|(_, bytes)| bytes).sum();
    let first_load_bytes = first_load(&index, &on_the_wire);
    Ok(Packed { build, assets, bytes, compressed_bytes, first_load_bytes })
}

/// Removes every local stylesheet link from the page and says which files they named, in order. The first one's place
/// is kept by `STYLESHEET_PLACE`.
pub fn take_stylesheets(index: &str) -> (String, Vec<String>) {
    let mut page = String::with_capacity(index.len());
    let mut names = Vec::new();
    let mut rest = index;
    while let Some(start) = rest.find("<link") {
        let Some(length) = rest[start..].find('>') else { break };
        let (tag, after) = (&rest[start..=start + length], &rest[start + length + 1..]);
        page.push_str(&rest[..start]);
        rest = after;
        let local = attribute(tag, "href").and_then(|href| href.strip_prefix('/'));
        match (attribute(tag, "rel"), local) {
            (Some("stylesheet"), Some(name)) => {
                if names.is_empty() {
                    page.push_str(STYLESHEET_PLACE);
                } else {
                    // The line that held the link would stay behind empty.
                    rest = rest.strip_prefix('\n').unwrap_or(rest);
                }
                names.push(name.to_owned());
            }
            _ => page.push_str(tag),
        }
    }
    page.push_str(rest);
    (page, names)
}

const STYLESHEET_PLACE: &str = "<!--stylesheet-->";

fn put_stylesheet(index: &str, name: &str) -> Result<String, PackError> {
    if !index.contains(STYLESHEET_PLACE) {
        return Err(PackError::NoPlace { file: "index.html", what: "stylesheet" });
    }
    Ok(index.replacen(STYLESHEET_PLACE, &format!("<link rel=\"stylesheet\" href=\"/{name}\">"), 1))
}

/// Name and text of each stylesheet to one text, in order.
pub fn join_stylesheets(parts: &[(String, String)]) -> Result<String, PackError> {
    let mut joined = String::new();
    for (name, text) in parts {
        if text.contains("@import") {
            return Err(PackError::StylesheetImports(name.clone()));
        }
        joined.push_str(text.trim_end());
        joined.push('\n');
    }
    Ok(joined)
}

/// Marks the page as worth a service worker, and notes the program's length (the length a browser
/// sees on the wire is that of the compressed copy).
pub fn mark_packed(index: &str, program_size: Option<u64>) -> Result<String, PackError> {
    let start = index
        .find("<meta name=\"gen-registry-program\"")
        .ok_or(PackError::NoPlace { file: "index.html", what: "<meta name=\"gen-registry-program\">" })?;
    let length =
        index[start..].find('>').ok_or(PackError::NoPlace { file: "index.html", what: "end of its <meta>" })?;
    let tag = &index[start..start + length];
    let keep = tag.find(" data-size=").or_else(|| tag.find(" data-packed")).unwrap_or(tag.len());
    let size = program_size.map(|bytes| format!(" data-size=\"{bytes}\"")).unwrap_or_default();
    Ok(format!("{}{}{size} data-packed{}", &index[..start], &tag[..keep], &index[start + length..]))
}

fn program_size(folder: &Path, index: &str) -> Option<u64> {
    let start = index.find("<meta name=\"gen-registry-program\"")?;
    let tag = &index[start..start + index[start..].find('>')?];
    let file = attribute(tag, "data-wasm")?.strip_prefix('/')?;
    fs::metadata(folder.join(file)).ok().map(|data| data.len())
}

/// The same files and the same (unfilled) worker, the same id; any other byte anywhere, another id. The worker counts
/// because each worker must have a cache of its own to fill.
pub fn build_id(worker: &str, assets: &[Asset]) -> String {
    let mut list: String = assets.iter().map(|asset| format!("{} {}\n", asset.sha256, asset.path)).collect();
    list.push_str(worker);
    hex_sha256(list.as_bytes())[..NAME_HASH_DIGITS].to_owned()
}

/// Writes build id and list between the marks in the service worker. The marks stay, so that a folder can be packed
/// again.
pub fn fill_worker(worker: &str, build: &str, assets: &[Asset]) -> Result<String, PackError> {
    let list: String = assets.iter().map(|asset| format!("\n  [{:?}, {:?}],", asset.path, asset.sha256)).collect();
    let worker = between(worker, "/*build:*/", "/*:build*/", &format!("{build:?}"))?;
    between(&worker, "/*assets:*/", "/*:assets*/", &format!("[{list}\n]"))
}

fn between(text: &str, open: &'static str, close: &'static str, content: &str) -> Result<String, PackError> {
    let missing = |what| PackError::NoPlace { file: "sw.js", what };
    let start = text.find(open).ok_or(missing(open))? + open.len();
    let end = start + text[start..].find(close).ok_or(missing(close))?;
    Ok(format!("{}{content}{}", &text[..start], &text[end..]))
}

/// The service worker is never kept by itself: the browser must always ask the server for it. `_headers` is for the host.
pub fn kept_offline(url: &str) -> bool {
    let name = url.trim_start_matches('/');
    name != "sw.js"
        && name != policy::HEADERS_FILE
        && !name.ends_with(".br")
        && !NOT_KEPT_OFFLINE.iter().any(|ending| name.ends_with(ending))
        && !NOT_KEPT_OFFLINE_FOLDERS.iter().any(|folder| name.starts_with(folder))
}

/// Bytes that a first visit loads before the page can be used: the page itself, the files it names, and the parts of
/// its glue code. `on_the_wire`: by URL. What only workers load, and what the service worker keeps afterwards, is not
/// counted.
pub fn first_load(index: &str, on_the_wire: &BTreeMap<String, u64>) -> u64 {
    let loaded =
        |url: &str| url == "/index.html" || url.starts_with(GLUE_FOLDER) || index.contains(&format!("=\"{url}\""));
    on_the_wire.iter().filter(|(url, _)| loaded(url)).map(|(_, bytes)| bytes).sum()
}

/// Lays a `.br` copy beside every file that gets smaller by it. Returns how many bytes each file has on the wire, by
/// URL.
fn compress(folder: &Path, quality: u32) -> Result<BTreeMap<String, u64>, PackError> {
    let mut on_the_wire = BTreeMap::new();
    for path in walk(folder)? {
        let content = read(&path)?;
        let mut smallest = content.len();
        if compressible(&path) && content.len() >= SMALLEST_COMPRESSED {
            let packed = brotli(&content, quality).map_err(|source| PackError::File {
                path: path.clone(),
                writing: false,
                source,
            })?;
            if packed.len() < content.len() {
                smallest = packed.len();
                write(&compressed_path(&path), &packed)?;
            }
        }
        on_the_wire.insert(url_of(folder, &path), smallest as u64);
    }
    Ok(on_the_wire)
}

pub fn brotli(content: &[u8], quality: u32) -> io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: quality.min(11) as i32,
        lgwin: BROTLI_WINDOW as i32,
        size_hint: content.len(),
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &content[..], &mut packed, &parameters)?;
    Ok(packed)
}

fn compressible(path: &Path) -> bool {
    path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| COMPRESSED.contains(&ending))
}

fn compressed_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".br");
    name.into()
}

/// Copies of an earlier packing would hide changed files.
fn remove_compressed(folder: &Path) -> Result<(), PackError> {
    for path in walk(folder)? {
        if path.extension().is_some_and(|ending| ending == "br") {
            fs::remove_file(&path).map_err(|source| PackError::File { path, writing: true, source })?;
        }
    }
    Ok(())
}

/// Every file below the folder, sorted.
fn walk(folder: &Path) -> Result<Vec<PathBuf>, PackError> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |source| PackError::File { path: folder.clone(), writing: false, source };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

fn url_of(folder: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(folder).unwrap_or(path).components();
    parts.map(|part| format!("/{}", part.as_os_str().to_string_lossy())).collect()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    Some(&tag[start..start + tag[start..].find('"')?])
}

fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_stylesheet(folder: &Path, name: &str) -> Result<(String, String), PackError> {
    let path = folder.join(name);
    if !path.is_file() {
        return Err(PackError::StylesheetMissing(name.to_owned()));
    }
    Ok((name.to_owned(), read_text(&path)?))
}

fn read(path: &Path) -> Result<Vec<u8>, PackError> {
    fs::read(path).map_err(|source| PackError::File { path: path.to_owned(), writing: false, source })
}

fn read_text(path: &Path) -> Result<String, PackError> {
    fs::read_to_string(path).map_err(|source| PackError::File { path: path.to_owned(), writing: false, source })
}

fn write(path: &Path, content: &[u8]) -> Result<(), PackError> {
    fs::write(path, content).map_err(|source| PackError::File { path: path.to_owned(), writing: true, source })
}
