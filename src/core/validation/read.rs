//! The validator: one pass over the bytes, each part checked as it is parsed, every count before its elements are read.

use wasmparser::types::{CoreTypeId, EntityType, Types, TypesRef};
use wasmparser::{
    ComponentExternalKind, CompositeInnerType, CustomSectionReader, FuncToValidate, FuncValidatorAllocations,
    FunctionBody, KnownCustom, MemoryType, Name, Parser, Payload, TypeRef, ValType, ValidPayload, Validator,
    ValidatorResources, WasmFeatures,
};

use super::{
    Check, CheckOutcome, Custom, Extern, ExternKind, METADATA, Memory, ModuleKind, Problem, Report, TEXT_MAX_CHARS,
};
use crate::limits::*;

const MAGIC: &[u8] = b"\0asm";
/// Version and layer (in the next two bytes: 0) of a core module.
const MODULE_VERSION: u16 = 1;
/// Version of a component, whose layer is 1.
const COMPONENT_VERSION: u16 = 0x0d;

/// Validates a file from beginning to end. Always returns a report; a bad file fails one of its checks.
pub fn validate(bytes: &[u8]) -> Report {
    let mut report = Report::new(bytes);
    let problem = head(bytes, &mut report).and_then(|()| Reading::new(&mut report).read(bytes)).err();
    // From the structure on everything is read in one pass: what failed there says nothing of the rest.
    let passed = problem.as_ref().map(|(failed, _)| (*failed).min(Check::Structure));
    let passed = Check::ALL.into_iter().take_while(|check| passed.is_none_or(|failed| *check < failed));
    report.outcomes = passed.map(|check| CheckOutcome { check, problem: None }).collect();
    report.outcomes.extend(problem.map(|(check, problem)| CheckOutcome { check, problem: Some(problem) }));
    report
}

/// The check that failed and its problem.
type Failed = (Check, Problem);

/// Checks size, magic and version, which can be read without a parser.
fn head(bytes: &[u8], report: &mut Report) -> Result<(), Failed> {
    if bytes.len() > MODULE_MAX_BYTES {
        return Err((Check::Size, Problem::TooLarge { found: bytes.len() as u64 }));
    }
    if bytes.is_empty() {
        return Err((Check::Size, Problem::Empty));
    }
    if !bytes.starts_with(MAGIC) {
        let text = std::str::from_utf8(&bytes[..bytes.len().min(512)]).is_ok_and(|text| {
            let text = text.trim_start();
            text.starts_with("(module") || text.starts_with("(component") || text.starts_with(";;")
        });
        return Err((Check::Magic, if text { Problem::IsText } else { Problem::NotWasm }));
    }
    let Some(&[a, b, c, d]) = bytes.get(4..8).and_then(|four| <&[u8; 4]>::try_from(four).ok()) else {
        return Err((Check::Version, Problem::Truncated { offset: bytes.len() as u64 }));
    };
    report.kind = match (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])) {
        (MODULE_VERSION, 0) => Some(ModuleKind::Module),
        (COMPONENT_VERSION, 1) => Some(ModuleKind::Component),
        _ => return Err((Check::Version, Problem::UnknownVersion { found: u32::from_le_bytes([a, b, c, d]) })),
    };
    Ok(())
}

/// The state of the pass.
struct Reading<'r> {
    report: &'r mut Report,
    /// How many modules and components the pass is inside of; 1 for the file itself.
    depth: usize,
    /// Modules and components found so far, the file itself included.
    nested: usize,
    /// What all memories found so far begin with.
    memory_bytes: u64,
}

impl<'r> Reading<'r> {
    fn new(report: &'r mut Report) -> Self {
        Self { report, depth: 0, nested: 0, memory_bytes: 0 }
    }

    /// Parses, counts, validates and records one part after the other. An error ends the pass.
    fn read(mut self, bytes: &[u8]) -> Result<(), Failed> {
        let mut validator = Validator::new_with_features(WasmFeatures::WASM3 | WasmFeatures::COMPONENT_MODEL);
        let mut allocations = FuncValidatorAllocations::default();
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(|error| invalid(&error))?;
            self.count(&payload)?;
            let valid = validator.payload(&payload).map_err(|error| invalid(&error))?;
            self.note(&payload)?;
            match valid {
                ValidPayload::Func(function, body) => allocations = check_body(function, &body, allocations)?,
                ValidPayload::End(types) if self.depth == 0 => self.list_core(&types),
                ValidPayload::End(_) | ValidPayload::Ok | ValidPayload::Parser(_) => {}
            }
        }
        Ok(())
    }

    /// Checks counts before their elements are looked at.
    fn count(&mut self, payload: &Payload<'_>) -> Result<(), Failed> {
        match payload {
            Payload::Version { .. } => {
                self.depth += 1;
                self.nested += 1;
                if self.nested > MODULE_MAX_NESTED {
                    return Err((Check::Structure, Problem::TooManyNested));
                }
            }
            Payload::End(_) => self.depth -= 1,
            Payload::CodeSectionStart { count, .. } => {
                self.report.functions += u64::from(*count);
                if self.report.functions > MODULE_MAX_FUNCTIONS as u64 {
                    return Err((Check::Functions, Problem::TooManyFunctions { found: self.report.functions }));
                }
            }
            Payload::ImportSection(section) => within_bound(section.count())?,
            Payload::ExportSection(section) => within_bound(section.count())?,
            Payload::ComponentImportSection(section) => within_bound(section.count())?,
            Payload::ComponentExportSection(section) => within_bound(section.count())?,
            _ => {}
        }
        Ok(())
    }

    /// Records memories, custom sections, and imports and exports of components. The sections are valid already.
    fn note(&mut self, payload: &Payload<'_>) -> Result<(), Failed> {
        let outermost = self.depth == 1;
        match payload {
            Payload::ImportSection(section) => {
                for (number, import) in section.clone().into_imports().enumerate() {
                    // One group of the section may stand for many imports.
                    within_bound(u32::try_from(number + 1).unwrap_or(u32::MAX))?;
                    if let TypeRef::Memory(memory) = &import.map_err(|error| invalid(&error))?.ty {
                        self.memory(memory, true)?;
                    }
                }
            }
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    self.memory(&memory.map_err(|error| invalid(&error))?, false)?;
                }
            }
            Payload::StartSection { .. } | Payload::ComponentStartSection { .. } => {
                self.report.starts_by_itself = true;
            }
            Payload::ComponentImportSection(section) if outermost => {
                for import in section.clone() {
                    let import = import.map_err(|error| invalid(&error))?;
                    let kind = component_kind(import.ty.kind());
                    self.report.imports.push(Extern { module: None, name: text(import.name.name), kind });
                }
                within_bound(u32::try_from(self.report.imports.len()).unwrap_or(u32::MAX))?;
            }
            Payload::ComponentExportSection(section) if outermost => {
                for export in section.clone() {
                    let export = export.map_err(|error| invalid(&error))?;
                    let kind = component_kind(export.kind);
                    self.report.exports.push(Extern { module: None, name: text(export.name.name), kind });
                }
                within_bound(u32::try_from(self.report.exports.len()).unwrap_or(u32::MAX))?;
            }
            Payload::CustomSection(section) if outermost && self.report.custom.len() < MODULE_MAX_EXTERNS => {
                self.report.custom.push(Custom { name: text(section.name()), bytes: section.data().len() as u64 });
                self.describe(section);
            }
            _ => {}
        }
        Ok(())
    }

    /// Records a text with which the file describes itself. It is no part of what makes a module valid: unreadable ones
    /// are left out.
    fn describe(&mut self, section: &CustomSectionReader<'_>) {
        let words = match section.as_known() {
            KnownCustom::Name(names) => names.into_iter().find_map(|name| match name {
                Ok(Name::Module { name, .. }) => Some(("name", name)),
                _ => None,
            }),
            _ => {
                let known = METADATA.into_iter().find(|known| *known == section.name());
                known.and_then(|known| Some((known, std::str::from_utf8(section.data()).ok()?)))
            }
        };
        if let Some((key, words)) = words {
            self.report.metadata.insert(key.to_owned(), words.chars().take(TEXT_MAX_CHARS * 2).collect());
        }
    }

    /// Records a memory, imported or not, against the bound for all memories of the file.
    fn memory(&mut self, memory: &MemoryType, imported: bool) -> Result<(), Failed> {
        let bytes = |pages: u64| pages.saturating_mul(u64::from(memory.page_size()));
        let minimum = bytes(memory.initial);
        self.memory_bytes = self.memory_bytes.saturating_add(minimum);
        if self.memory_bytes > MODULE_MAX_MEMORY_BYTES {
            return Err((Check::Memory, Problem::TooMuchMemory { found: self.memory_bytes }));
        }
        // Within the bound of the file's size a component could hold millions of memories without a page.
        if self.report.memories.len() >= MODULE_MAX_EXTERNS {
            return Err((Check::Externs, Problem::TooManyExterns { found: MODULE_MAX_EXTERNS as u64 + 1 }));
        }
        let maximum = memory.maximum.map(bytes);
        self.report.memories.push(Memory { minimum, maximum, shared: memory.shared, imported });
        Ok(())
    }

    /// Lists imports and exports of a core module, with the types of its functions.
    fn list_core(&mut self, types: &Types) {
        let types = types.as_ref();
        if self.report.kind != Some(ModuleKind::Module) {
            return;
        }
        for (module, name, entity) in types.core_imports().into_iter().flatten() {
            let (module, name, kind) = (Some(text(module)), text(name), core_kind(entity, types));
            self.report.imports.push(Extern { module, name, kind });
        }
        for (name, entity) in types.core_exports().into_iter().flatten() {
            self.report.exports.push(Extern { module: None, name: text(name), kind: core_kind(entity, types) });
        }
    }
}

/// Validates one function's body. The allocations are reused from body to body.
fn check_body(
    function: FuncToValidate<ValidatorResources>,
    body: &FunctionBody<'_>,
    allocations: FuncValidatorAllocations,
) -> Result<FuncValidatorAllocations, Failed> {
    let mut validator = function.into_validator(allocations);
    validator.validate(body).map_err(|error| invalid(&error))?;
    Ok(validator.into_allocations())
}

/// Checks a number of imports or exports against [`MODULE_MAX_EXTERNS`].
fn within_bound(found: u32) -> Result<(), Failed> {
    let found = u64::from(found);
    if found > MODULE_MAX_EXTERNS as u64 { Err((Check::Externs, Problem::TooManyExterns { found })) } else { Ok(()) }
}

/// The problem for an error of the parser, with its offset.
fn invalid(error: &wasmparser::Error) -> Failed {
    let offset = error.offset();
    let message = error.message();
    let ended = message.contains("unexpected end");
    let problem =
        if ended { Problem::Truncated { offset } } else { Problem::Invalid { offset, message: text(message) } };
    (Check::Structure, problem)
}

/// The kind of a core module's import or export.
fn core_kind(entity: EntityType, types: TypesRef<'_>) -> ExternKind {
    match entity {
        EntityType::Func(id) | EntityType::FuncExact(id) => function(id, types),
        EntityType::Table(_) => ExternKind::Table,
        EntityType::Memory(_) => ExternKind::Memory,
        EntityType::Global(_) => ExternKind::Global,
        EntityType::Tag(_) => ExternKind::Tag,
    }
}

/// The signature of a function, types written as in the text format.
fn function(id: CoreTypeId, types: TypesRef<'_>) -> ExternKind {
    let names = |types: &[ValType]| types.iter().map(ToString::to_string).collect();
    match types.get(id).map(|ty| &ty.composite_type.inner) {
        Some(CompositeInnerType::Func(ty)) => {
            ExternKind::Function { params: names(ty.params()), results: names(ty.results()) }
        }
        _ => ExternKind::Type,
    }
}

/// The kind of a component's import or export.
fn component_kind(kind: ComponentExternalKind) -> ExternKind {
    match kind {
        ComponentExternalKind::Module => ExternKind::Module,
        ComponentExternalKind::Func => ExternKind::ComponentFunction,
        ComponentExternalKind::Value => ExternKind::Value,
        ComponentExternalKind::Type => ExternKind::Type,
        ComponentExternalKind::Instance => ExternKind::Instance,
        ComponentExternalKind::Component => ExternKind::Component,
    }
}

/// A text cut to [`TEXT_MAX_CHARS`].
fn text(text: &str) -> String {
    text.chars().take(TEXT_MAX_CHARS).collect()
}
