//! Which functions of a module can be called from its page, and with what.

use gen_registry_api::{Extern, ExternKind, RunArgument};

/// One function with plain types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callable {
    pub name: String,
    pub params: Vec<String>,
    pub results: Vec<String>,
}

impl Callable {
    /// “(i32, i32) → i64”.
    pub fn signature(&self) -> String {
        let results = if self.results.is_empty() { "nothing".to_owned() } else { self.results.join(", ") };
        format!("({}) → {results}", self.params.join(", "))
    }

    /// Whether a text can stand for the arguments: the module gives memory for it.
    pub fn takes_text(&self, exports: &[Extern]) -> bool {
        let offers = |name: &str| exports.iter().any(|export| export.name == name);
        self.params.len() == 2
            && self.params.iter().all(|kind| kind == "i32")
            && offers("memory")
            && (offers("alloc") || offers("malloc"))
    }

    /// Whether the result can be a text: its place and length in one number.
    pub fn gives_text(&self) -> bool {
        self.results == ["i64"]
    }
}

/// The exported functions, in order.
pub fn callables(exports: &[Extern]) -> Vec<Callable> {
    let function = |export: &Extern| match &export.kind {
        ExternKind::Function { params, results } => {
            Some(Callable { name: export.name.clone(), params: params.clone(), results: results.clone() })
        }
        _ => None,
    };
    exports.iter().filter_map(function).collect()
}

/// Numbers with commas or spaces in between.
pub fn parse_numbers(text: &str) -> Vec<RunArgument> {
    text.split([',', ' '])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| RunArgument::Number(part.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(name: &str, kind: ExternKind) -> Extern {
        Extern { module: None, name: name.to_owned(), kind }
    }

    fn function(params: &[&str], results: &[&str]) -> ExternKind {
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        ExternKind::Function { params: owned(params), results: owned(results) }
    }

    #[test]
    fn only_functions_can_be_called() {
        let exports = [
            export("memory", ExternKind::Memory),
            export("add", function(&["i32", "i32"], &["i32"])),
            export("stop", function(&[], &[])),
        ];
        let found = callables(&exports);
        let signatures: Vec<String> = found.iter().map(|one| format!("{}{}", one.name, one.signature())).collect();
        assert_eq!(signatures, ["add(i32, i32) → i32", "stop() → nothing"]);
        assert_eq!(callables(&[]), []);
    }

    #[test]
    fn a_text_needs_memory_and_a_place_in_it() {
        let memory = export("memory", ExternKind::Memory);
        let alloc = export("alloc", function(&["i32"], &["i32"]));
        let malloc = export("malloc", function(&["i32"], &["i32"]));
        let takes = |params: &[&str], exports: &[Extern]| {
            callables(&[export("f", function(params, &["i64"]))])[0].takes_text(exports)
        };
        assert!(takes(&["i32", "i32"], &[memory.clone(), alloc.clone()]));
        assert!(takes(&["i32", "i32"], &[memory.clone(), malloc]));
        assert!(!takes(&["i32", "i32"], std::slice::from_ref(&memory)));
        assert!(!takes(&["i32", "i32"], std::slice::from_ref(&alloc)));
        assert!(!takes(&["i32", "i64"], &[memory.clone(), alloc.clone()]));
        assert!(!takes(&["i32", "i32", "i32"], &[memory.clone(), alloc.clone()]));
        assert!(!takes(&[], &[memory, alloc]));
    }

    #[test]
    fn one_long_number_may_be_a_text() {
        let gives = |results: &[&str]| callables(&[export("f", function(&[], results))])[0].gives_text();
        assert!(gives(&["i64"]));
        assert!(!gives(&["i32"]));
        assert!(!gives(&["i64", "i64"]));
        assert!(!gives(&[]));
    }

    #[test]
    fn numbers_are_taken_as_they_are() {
        let numbers = |text: &str| {
            parse_numbers(text)
                .into_iter()
                .map(|argument| match argument {
                    RunArgument::Number(number) => number,
                    RunArgument::Text(text) => panic!("{text} is a text"),
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(numbers(""), [""; 0]);
        assert_eq!(numbers(" , ,"), [""; 0]);
        assert_eq!(numbers("1, 2,3 -4  5.5"), ["1", "2", "3", "-4", "5.5"]);
        assert_eq!(numbers("x"), ["x"]);
        assert_eq!(numbers(&"9".repeat(1_000)).len(), 1);
    }
}
