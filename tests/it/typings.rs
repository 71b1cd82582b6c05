//! `public/gen-registry.d.ts` declares the functions that there are. Its types are written by `tests/typings`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The declarations without their comments.
fn typings() -> String {
    let text = read("public/gen-registry.d.ts");
    let parts = text.split("/**").enumerate();
    parts.map(|(nth, part)| if nth == 0 { part } else { part.split_once("*/").unwrap().1 }).collect()
}

/// The text between the first brace and the one that closes it.
fn braced(text: &str) -> &str {
    let start = text.find('{').unwrap() + 1;
    let mut depth = 1;
    let end = text[start..].find(|letter| {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        depth == 0
    });
    &text[start..start + end.unwrap()]
}

/// The names of the members; overloads of a function are one.
fn members(body: &str) -> BTreeSet<String> {
    let mut depth = 0;
    let parts = body.split(|letter| {
        depth += i32::from("{([".contains(letter)) - i32::from("})]".contains(letter));
        letter == ';' && depth == 0
    });
    let name = |part: &str| {
        part.trim().split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().map(str::to_owned)
    };
    parts.filter_map(name).filter(|name| !name.is_empty()).collect()
}

/// The functions of the script interface, as declared.
pub fn functions() -> BTreeSet<String> {
    members(braced(typings().split_once("export interface GenRegistry ").unwrap().1))
}

#[test]
fn every_function_is_in_the_typings() {
    let mut real = BTreeSet::new();
    for file in [
        "js_api.rs",
        "js_api/find.rs",
        "js_api/modules.rs",
        "js_api/notices.rs",
        "js_api/block_list.rs",
        "js_api/devices.rs",
        "js_api/chat.rs",
    ] {
        let source = read(&format!("src/ui/{file}"));
        for block in source.split("#[wasm_bindgen]\nimpl GenRegistry {").skip(1) {
            let block = block.split("\n}").next().unwrap();
            let mut renamed = None;
            for line in block.lines().map(str::trim) {
                if let Some(name) = line.strip_prefix("#[wasm_bindgen(js_name = ") {
                    renamed = name.strip_suffix(")]");
                }
                let function = line.strip_prefix("pub async fn ").or_else(|| line.strip_prefix("pub fn "));
                if let Some(function) = function {
                    real.insert(renamed.take().unwrap_or_else(|| function.split('(').next().unwrap()).to_owned());
                }
            }
        }
    }
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui/js_api")).unwrap().count();
    assert_eq!(files, 7, "every file of src/ui/js_api is looked at, and the typings of the functions");
    assert!(real.len() > 50, "{real:?}");
    assert_eq!(functions(), real);
}
