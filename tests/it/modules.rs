//! What the validation of modules says of good, bad and hostile files.
//!
//! `tests/fixtures/modules/*.wat` each have their report beside them; `BLESS=1` writes the reports anew, to be read in
//! review.

use std::{env, fs, path::Path};

use arbitrary::Unstructured;
use gen_registry_core::limits::*;
use gen_registry_core::node_limits::NodeLimits;
use gen_registry_core::validation::run_budget::{
    Allotment, Demand, RUN_MEMORY_BYTES, RUN_TABLE_ELEMENTS, RunBudgetError, divide,
};
use gen_registry_core::validation::run_limits::{RunLimitError, survey, write_limits};
use gen_registry_core::validation::{Check, ModuleKind, Problem, Report, validate};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/modules");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "wat"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), wat::parse_file(&path).unwrap()))
        .collect();
    found.sort();
    assert!(found.len() > 4, "the fixtures were found");
    found
}

fn seeded() -> StdRng {
    let seed = env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed}");
    StdRng::seed_from_u64(seed)
}

fn problem(bytes: &[u8]) -> (Check, Problem) {
    let report = validate(bytes);
    let last = report.outcomes.last().expect("a check was made");
    (last.check, last.problem.clone().expect("it failed"))
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn every_fixture_gets_the_expected_report() {
    for (name, bytes) in fixtures() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/modules/{name}.json"));
        let report = serde_json::to_string_pretty(&validate(&bytes)).unwrap() + "\n";
        if env::var_os("BLESS").is_some() {
            fs::write(&path, &report).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), report, "{name}");
    }
}

#[test]
fn every_check_names_its_problem() {
    let adder = wat("(module (func (export \"f\")))");
    let mut version = adder.clone();
    version[4] = 9;
    let mut invalid = adder.clone();
    *invalid.last_mut().unwrap() = 0xff;
    for (bytes, check, sentence) in [
        (vec![], Check::Size, "the file is empty"),
        (vec![0; MODULE_MAX_BYTES + 1], Check::Size, "at most 16777216 bytes; this has 16777217"),
        (b"<!doctype html>".to_vec(), Check::Magic, "does not begin with \\0asm"),
        (b"  (module)".to_vec(), Check::Magic, "must be compiled first"),
        (adder[..6].to_vec(), Check::Version, "ends in the middle, at byte 6"),
        (version, Check::Version, "version 9"),
        (adder[..adder.len() - 1].to_vec(), Check::Structure, "ends in the middle"),
        (invalid, Check::Structure, "at byte"),
        (wat("(module (memory 1025))"), Check::Memory, "these begin with 67174400"),
    ] {
        let (failed, problem) = problem(&bytes);
        assert_eq!(failed, check, "{problem}");
        assert!(problem.to_string().contains(sentence), "{problem}");
    }
}

#[test]
fn limits_accept_the_bound_and_reject_one_more() {
    let functions = |count: usize| wat(&format!("(module {})", "(func)".repeat(count)));
    assert!(validate(&functions(MODULE_MAX_FUNCTIONS)).is_valid());
    assert_eq!(problem(&functions(MODULE_MAX_FUNCTIONS + 1)).0, Check::Functions);

    let pages = MODULE_MAX_MEMORY_BYTES / 65_536;
    assert!(validate(&wat(&format!("(module (memory {pages}))"))).is_valid());
    assert_eq!(problem(&wat(&format!("(module (memory {pages}) (memory 1))"))).0, Check::Memory);

    let exports = |count: usize| {
        let lines: String = (0..count).map(|number| format!("(export \"e{number}\" (func 0))")).collect();
        wat(&format!("(module (func) {lines})"))
    };
    let report = validate(&exports(MODULE_MAX_EXTERNS));
    assert!(report.is_valid());
    assert_eq!(report.exports.len(), MODULE_MAX_EXTERNS);
    assert_eq!(problem(&exports(MODULE_MAX_EXTERNS + 1)).0, Check::Externs);

    let nested = |count: usize| wat(&format!("(component {})", "(core module)".repeat(count)));
    assert!(validate(&nested(MODULE_MAX_NESTED - 1)).is_valid());
    assert_eq!(problem(&nested(MODULE_MAX_NESTED)).1, Problem::TooManyNested);
}

#[test]
fn valid_modules_pass_and_their_prefixes_fail() {
    let mut random = seeded();
    for _ in 0..60 {
        let mut bytes = vec![0; 4_000];
        random.fill_bytes(&mut bytes);
        let most = MODULE_MAX_MEMORY_BYTES / 4;
        let config = wasm_smith::Config {
            max_memory32_bytes: most,
            max_memory64_bytes: most.into(),
            max_memories: 4,
            // Not in version 3.0 of the specification.
            wide_arithmetic_enabled: false,
            custom_page_sizes_enabled: false,
            shared_everything_threads_enabled: false,
            ..wasm_smith::Config::default()
        };
        let module = wasm_smith::Module::new(config, &mut Unstructured::new(&bytes)).unwrap().to_bytes();
        let report = validate(&module);
        assert!(report.is_valid(), "{:?}", report.problem());
        assert_eq!(report.kind, Some(ModuleKind::Module));
        for _ in 0..20 {
            let cut = random.random_range(0..module.len());
            let cut = validate(&module[..cut]);
            // A section boundary may make a shorter module that is complete; then it says what it lacks.
            assert!(!cut.is_valid() || (cut.functions, cut.exports.len()) <= (report.functions, report.exports.len()));
        }
    }
}

#[test]
fn flipped_bits_and_huge_counts_do_not_panic() {
    let mut random = seeded();
    for (_, bytes) in fixtures() {
        for at in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[at / 8] ^= 1 << (at % 8);
            let _: Report = validate(&changed);
        }
        for _ in 0..500 {
            let mut changed = bytes.clone();
            let at = random.random_range(8..changed.len());
            // The largest number that LEB128 can say, wherever a count may stand.
            changed.splice(at..at, [0xff, 0xff, 0xff, 0xff, 0x0f]);
            let _: Report = validate(&changed);
        }
    }
    // A section that claims four thousand million functions in five bytes.
    let claims = [b"\0asm\x01\0\0\0".as_slice(), &[10, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
    assert!(!validate(&claims).is_valid());
}

#[test]
fn deep_nesting_is_rejected_without_a_stack_overflow() {
    let depth = 5_000;
    let component = format!("{}{}", "(component ".repeat(depth), ")".repeat(depth));
    // The text parser has a bound of its own, so the bytes are made by hand: each component inside a section of the outer.
    assert!(wat::parse_str(&component).is_err());
    let head = *b"\0asm\x0d\0\x01\0";
    let mut bytes = head.to_vec();
    for _ in 0..depth {
        let mut length = Vec::new();
        let mut rest = bytes.len();
        loop {
            let low = (rest & 0x7f) as u8;
            rest >>= 7;
            length.push(if rest > 0 { low | 0x80 } else { low });
            if rest == 0 {
                break;
            }
        }
        bytes = [head.as_slice(), &[4], &length, &bytes].concat();
    }
    assert!(!validate(&bytes).is_valid());
    let blocks = format!("(module (func {} {}))", "block ".repeat(40_000), "end ".repeat(40_000));
    assert!(wat::parse_str(&blocks).map(|bytes| validate(&bytes)).is_ok_and(|report| report.is_valid()));
}

/// Returns modules as they are run together.
fn confined(modules: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let demands: Vec<Demand> = modules.iter().map(|bytes| survey(bytes).unwrap()).collect();
    let allotments = divide(&demands, &NodeLimits::default()).unwrap();
    modules.iter().zip(&allotments).map(|(bytes, allotment)| write_limits(bytes, allotment).unwrap()).collect()
}

/// What the memories and tables of modules may grow to together, in bytes and elements.
fn maxima(modules: &[Vec<u8>]) -> (u64, u64) {
    let mut sums = (0_u64, 0_u64);
    for demand in modules.iter().map(|bytes| survey(bytes).unwrap()) {
        let memories =
            demand.memories.iter().map(|memory| memory.maximum.unwrap_or(u64::MAX).saturating_mul(memory.unit));
        sums.0 = memories.fold(sums.0, u64::saturating_add);
        let tables = demand.tables.iter().map(|table| table.maximum.unwrap_or(u64::MAX));
        sums.1 = tables.fold(sums.1, u64::saturating_add);
    }
    sums
}

fn fixture(name: &str) -> Vec<u8> {
    fixtures().into_iter().find(|(found, _)| found == name).unwrap().1
}

#[test]
fn modules_that_ask_for_more_than_a_run_may_have_are_held_within_it() {
    let (memories, growing) = (fixture("many_memories"), fixture("growing_table"));
    for run in [vec![memories.clone()], vec![growing.clone()], vec![memories.clone(), growing, memories]] {
        let (bytes, elements) = maxima(&run);
        assert!(bytes > RUN_MEMORY_BYTES || elements > RUN_TABLE_ELEMENTS, "they declare more");
        let run = confined(&run);
        let (bytes, elements) = maxima(&run);
        assert!(bytes <= RUN_MEMORY_BYTES && elements <= RUN_TABLE_ELEMENTS, "{bytes} bytes, {elements} elements");
        assert!(run.iter().all(|bytes| validate(bytes).is_valid()));
    }
    let demand = survey(&fixture("many_tables")).unwrap();
    assert_eq!(
        divide(&[demand], &NodeLimits::default()),
        Err(RunBudgetError::TooManyTableElements { found: 600_000_000 })
    );
}

#[test]
fn limiting_a_module_changes_nothing_else_of_it() {
    for (text, memories, tables) in [
        ("(module (memory 1))", vec![1024], vec![]),
        ("(module (memory 1 2) (func (export \"f\")) (data (i32.const 0) \"abc\"))", vec![2], vec![]),
        (
            "(module (import \"a\" \"b\" (func)) (memory (export \"m\") 3 5000) (func (export \"f\")))",
            vec![1024],
            vec![],
        ),
        ("(module (memory i64 1) (table i64 5 funcref) (func (export \"f\")))", vec![1024], vec![100_000]),
        ("(module (table 2 9 funcref) (func $f (export \"f\")) (elem (i32.const 0) $f))", vec![], vec![9]),
        ("(module (func $f (export \"f\")) (table 3 (ref func) (ref.func $f)))", vec![], vec![100_000]),
        ("(module (import \"a\" \"m\" (memory 1)) (import \"a\" \"t\" (table 1 funcref)))", vec![], vec![]),
        ("(module (func (export \"f\")))", vec![], vec![]),
    ] {
        let bytes = wat(text);
        let limited = confined(std::slice::from_ref(&bytes)).remove(0);
        let (before, after) = (validate(&bytes), validate(&limited));
        assert!(after.is_valid(), "{text}: {:?}", after.problem());
        assert_eq!((before.imports, before.exports, before.functions), (after.imports, after.exports, after.functions));
        let demand = survey(&limited).unwrap();
        let written = Allotment {
            memories: demand.memories.iter().filter_map(|memory| memory.maximum).collect(),
            tables: demand.tables.iter().filter_map(|table| table.maximum).collect(),
        };
        assert_eq!(written, Allotment { memories, tables }, "{text}");
        assert_eq!(confined(std::slice::from_ref(&limited)), [limited], "done once is done");
    }
}

#[test]
fn modules_whose_memory_no_maximum_bounds_are_refused() {
    for (text, error) in [
        ("(component)", RunLimitError::Component),
        ("(module (type (array (mut i8))))", RunLimitError::Collected),
        ("(module (table 1 exnref))", RunLimitError::Exceptions),
        ("(module (global (mut exnref) (ref.null exn)))", RunLimitError::Exceptions),
        ("(module (tag (param exnref)))", RunLimitError::Exceptions),
        ("(module (tag (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))", RunLimitError::Exceptions),
    ] {
        assert_eq!(survey(&wat(text)), Err(error), "{text}");
    }
    // What compilers make of C++.
    assert!(survey(&wat("(module (tag (param i32)) (func (local exnref)))")).is_ok());
}

#[test]
fn limiting_random_modules_keeps_them_valid() {
    let mut rng = seeded();
    let mut limited = 0;
    for _ in 0..200 {
        let mut noise = vec![0; 4_000];
        rng.fill_bytes(&mut noise);
        let Ok(module) = wasm_smith::Module::new(wasm_smith::Config::default(), &mut Unstructured::new(&noise)) else {
            continue;
        };
        let bytes = module.to_bytes();
        if !validate(&bytes).is_valid() {
            continue;
        }
        let Ok(demand) = survey(&bytes) else { continue };
        let Ok(allotments) = divide(&[demand], &NodeLimits::default()) else { continue };
        let bounded = write_limits(&bytes, &allotments[0]).unwrap();
        let report = validate(&bounded);
        assert!(report.is_valid(), "{:?}", report.problem());
        let (memory, elements) = maxima(&[bounded]);
        assert!(memory <= RUN_MEMORY_BYTES && elements <= RUN_TABLE_ELEMENTS);
        limited += 1;
    }
    assert!(limited > 20, "{limited} modules were looked at");
}
