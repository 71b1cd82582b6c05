//! A built page is finished the same way each time, and a page that can't be finished is refused.

use std::{fs, io::Read, path::Path};

use gen_registry_pack::*;

const WORKER: &str = "const BUILD = /*build:*/null/*:build*/;\nconst ASSETS = /*assets:*/[]/*:assets*/;\n";
const INDEX: &str = "<head>\n<meta name=\"gen-registry-program\" data-js=\"/a.js\" data-wasm=\"/a.wasm\">\n\
    <link rel=\"stylesheet\" href=\"/tokens-1.css\">\n<link rel=\"stylesheet\" href=\"/base-2.css\">\n\
    <link rel=\"icon\" href=\"/mark.svg\">\n</head>";

/// A page as Trunk leaves it.
fn built_page() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("index.html", INDEX);
    write("sw.js", WORKER);
    write("tokens-1.css", "@layer tokens { :root { --a: 1 } }\n");
    write("base-2.css", "@layer base { p { margin: 0 } }\n");
    write("a.js", &"export default 1;\n".repeat(100));
    write("a.wasm", &"program".repeat(1000));
    write("mark.svg", "<svg/>");
    write("api.d.ts", "export {};\n");
    write("guide/index.md", &"# Guides\n".repeat(100));
    write("screenshots/wide.png", "picture");
    folder
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn page_gets_one_stylesheet_in_the_order_of_its_links() {
    let folder = built_page();
    pack(folder.path(), 5).unwrap();

    let index = text(folder.path(), "index.html");
    assert_eq!(index.matches("rel=\"stylesheet\"").count(), 1, "{index}");
    assert!(index.contains("rel=\"icon\""), "other links stay");
    let name = index.split("href=\"/style-").nth(1).unwrap().split('"').next().unwrap();
    let style = text(folder.path(), &format!("style-{name}"));
    assert!(style.find("tokens").unwrap() < style.find("base").unwrap());
    assert!(!folder.path().join("tokens-1.css").exists(), "the parts are gone");
}

#[test]
fn service_worker_lists_exactly_what_the_page_needs() {
    let folder = built_page();
    let packed = pack(folder.path(), 5).unwrap();

    let paths: Vec<&str> = packed.assets.iter().map(|asset| asset.path.as_str()).collect();
    let style = paths.iter().find(|path| path.starts_with("/style-")).unwrap();
    assert_eq!(paths, ["/a.js", "/a.wasm", "/guide/index.md", "/index.html", "/mark.svg", style]);
    let worker = text(folder.path(), "sw.js");
    for asset in &packed.assets {
        assert!(worker.contains(&format!("[{:?}, {:?}],", asset.path, asset.sha256)), "{worker}");
    }
    assert!(worker.contains(&format!("/*build:*/\"{}\"/*:build*/", packed.build)), "{worker}");
}

#[test]
fn page_contains_the_size_of_its_program() {
    let folder = built_page();
    pack(folder.path(), 5).unwrap();
    let index = text(folder.path(), "index.html");
    assert!(index.contains("data-wasm=\"/a.wasm\" data-size=\"7000\" data-packed>"), "{index}");
}

#[test]
fn policy_stands_in_the_page_and_in_a_file_for_hosts() {
    let folder = built_page();
    let packed = pack(folder.path(), 5).unwrap();
    let index = text(folder.path(), "index.html");
    let meta = "<head>\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'self' ";
    assert!(index.contains(meta), "before all that it governs: {index}");
    assert_eq!(index.matches("http-equiv").count(), 1);
    assert!(!index.contains("frame-ancestors"), "no browser reads it there: {index}");

    let headers = text(folder.path(), "_headers");
    let policy = headers.strip_prefix("/*\n  content-security-policy: default-src 'none'; ").expect("for all paths");
    for part in
        ["frame-ancestors 'none'; ", "require-trusted-types-for 'script'; ", "\n  x-content-type-options: nosniff\n"]
    {
        assert!(policy.contains(part), "{headers}");
    }
    assert!(
        headers.contains("\n/sandbox.js\n  content-security-policy: default-src 'none'; script-src 'wasm-unsafe-eval'")
    );
    assert!(packed.assets.iter().all(|asset| asset.path != "/_headers"), "it is for the host, not for the page");

    let headless = built_page();
    fs::write(headless.path().join("index.html"), INDEX.replace("<head>", "")).unwrap();
    assert!(matches!(pack(headless.path(), 5), Err(PackError::NoPlace { what: "<head>", .. })));
}

#[test]
fn packing_twice_changes_nothing() {
    let folder = built_page();
    let first = pack(folder.path(), 5).unwrap();
    let files = names(folder.path());
    let index = text(folder.path(), "index.html");
    let worker = text(folder.path(), "sw.js");

    assert_eq!(pack(folder.path(), 5).unwrap(), first);
    assert_eq!(names(folder.path()), files);
    assert_eq!(text(folder.path(), "index.html"), index);
    assert_eq!(text(folder.path(), "sw.js"), worker);
}

#[test]
fn changed_file_makes_another_build() {
    let folder = built_page();
    let first = pack(folder.path(), 5).unwrap();
    let changed = "export default 2;\n".repeat(100);
    fs::write(folder.path().join("a.js"), &changed).unwrap();
    let second = pack(folder.path(), 5).unwrap();
    assert_ne!(first.build, second.build);

    let mut copy = Vec::new();
    brotli::Decompressor::new(fs::File::open(folder.path().join("a.js.br")).unwrap(), 4096)
        .read_to_end(&mut copy)
        .unwrap();
    assert_eq!(copy, changed.as_bytes(), "the brotli copy is of the new file");

    fs::write(folder.path().join("sw.js"), format!("{}// more", text(folder.path(), "sw.js"))).unwrap();
    assert_ne!(pack(folder.path(), 5).unwrap().build, second.build, "another worker is another build");
}

#[test]
fn only_files_that_shrink_get_a_brotli_copy() {
    let folder = built_page();
    fs::write(folder.path().join("noise.png"), "x".repeat(5000)).unwrap();
    pack(folder.path(), 5).unwrap();
    assert!(folder.path().join("a.wasm.br").exists());
    assert!(folder.path().join("guide/index.md.br").exists());
    assert!(!folder.path().join("mark.svg.br").exists(), "too small to gain anything");
    assert!(!folder.path().join("noise.png.br").exists(), "pictures are compressed already");
}

#[test]
fn first_load_is_what_the_page_names() {
    let sizes = [
        ("/index.html", 1),
        ("/a.js", 10),
        ("/a.wasm", 100),
        ("/snippets/b/inline.js", 1000),
        ("/worker.js", 10_000),
        ("/a.wasm.br", 100_000),
        ("/other/a.js", 1_000_000),
    ];
    let sizes = sizes.map(|(url, bytes)| (url.to_owned(), bytes)).into();
    assert_eq!(first_load("<meta data-js=\"/a.js\" data-wasm=\"/a.wasm\">", &sizes), 1111);
}

#[test]
fn packing_reports_the_size_of_the_first_load() {
    let folder = built_page();
    fs::write(folder.path().join("program-of-a-worker.wasm"), "x".repeat(5000)).unwrap();
    let packed = pack(folder.path(), 5).unwrap();
    let on_the_wire = |name: &str| {
        let compressed = fs::metadata(folder.path().join(format!("{name}.br")));
        compressed.or_else(|_| fs::metadata(folder.path().join(name))).unwrap().len()
    };
    let all = names(folder.path());
    let style = all.iter().find(|name| name.starts_with("style-") && name.ends_with(".css")).unwrap();
    let expected = ["a.js", "a.wasm", "index.html", "mark.svg", style].into_iter().map(on_the_wire).sum::<u64>();
    assert_eq!(packed.first_load_bytes, expected, "{all:?}");
    assert!(packed.compressed_bytes > expected, "the worker's program is kept for offline use, too");
}

#[test]
fn stylesheet_with_imports_is_rejected() {
    let folder = built_page();
    fs::write(folder.path().join("base-2.css"), "@import url(\"other.css\");").unwrap();
    let error = pack(folder.path(), 5).unwrap_err();
    assert!(matches!(&error, PackError::StylesheetImports(name) if name == "base-2.css"), "{error}");
}

#[test]
fn page_or_worker_without_placeholders_is_rejected() {
    let folder = built_page();
    fs::write(folder.path().join("sw.js"), "// somebody's own").unwrap();
    assert!(matches!(pack(folder.path(), 5), Err(PackError::NoPlace { file: "sw.js", .. })));

    let folder = built_page();
    fs::write(folder.path().join("index.html"), "<head></head>").unwrap();
    assert!(matches!(pack(folder.path(), 5), Err(PackError::NoPlace { file: "index.html", .. })));
}

#[test]
fn missing_stylesheet_is_reported_by_name() {
    let folder = built_page();
    fs::remove_file(folder.path().join("base-2.css")).unwrap();
    let error = pack(folder.path(), 5).unwrap_err();
    assert!(matches!(&error, PackError::StylesheetMissing(name) if name == "base-2.css"), "{error}");
}
