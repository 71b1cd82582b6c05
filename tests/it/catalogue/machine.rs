//! Modules of the catalogue put together and called, as a page's sandbox does it, in an interpreter.

use std::collections::BTreeMap;

use gen_registry_api::PublishDraft;
use gen_registry_server::catalogue::catalogue;
use wasmi::{Engine, Extern, Instance, Linker, Module, Store, Val};

pub enum Given<'a> {
    Text(&'a str),
    Number(Val),
}

impl<'a> From<&'a str> for Given<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<i32> for Given<'_> {
    fn from(number: i32) -> Self {
        Self::Number(Val::I32(number))
    }
}

impl From<i64> for Given<'_> {
    fn from(number: i64) -> Self {
        Self::Number(Val::I64(number))
    }
}

impl From<f64> for Given<'_> {
    fn from(number: f64) -> Self {
        Self::Number(Val::from(number))
    }
}

/// One run of one module, with what it needs and nothing else.
pub struct Machine {
    store: Store<()>,
    instance: Instance,
}

impl Machine {
    pub fn of(name: &str) -> Self {
        let all: BTreeMap<String, PublishDraft> =
            catalogue().unwrap().into_iter().map(|draft| (draft.name.clone(), draft)).collect();
        let engine = Engine::default();
        let mut store = Store::new(&engine, ());
        let mut made = BTreeMap::new();
        let instance = instantiate(name, &all, &engine, &mut store, &mut made);
        Self { store, instance }
    }

    /// None: it broke off.
    pub fn call(&mut self, function: &str, given: &[Given<'_>]) -> Option<Val> {
        let mut values = Vec::new();
        for one in given {
            match one {
                Given::Number(value) => values.push(value.clone()),
                Given::Text(text) => {
                    let length = i32::try_from(text.len()).unwrap();
                    let alloc = self.instance.get_typed_func::<i32, i32>(&self.store, "alloc").unwrap();
                    let place = alloc.call(&mut self.store, length).unwrap();
                    let memory = self.instance.get_memory(&self.store, "memory").unwrap();
                    memory.write(&mut self.store, place as u32 as usize, text.as_bytes()).unwrap();
                    values.extend([Val::I32(place), Val::I32(length)]);
                }
            }
        }
        let function = self.instance.get_func(&self.store, function).unwrap();
        let mut results = [Val::I32(0)];
        function.call(&mut self.store, &values, &mut results).ok()?;
        results.into_iter().next()
    }

    fn text(&mut self, function: &str, given: &[Given<'_>]) -> Option<String> {
        let Some(Val::I64(packed)) = self.call(function, given) else { return None };
        let (place, length) = ((packed as u64 >> 32) as usize, packed as u32 as usize);
        let memory = self.instance.get_memory(&self.store, "memory").unwrap();
        Some(String::from_utf8(memory.data(&self.store)[place..place + length].to_vec()).unwrap())
    }
}

fn instantiate(
    name: &str,
    all: &BTreeMap<String, PublishDraft>,
    engine: &Engine,
    store: &mut Store<()>,
    made: &mut BTreeMap<String, Instance>,
) -> Instance {
    if let Some(instance) = made.get(name) {
        return *instance;
    }
    let draft = &all[name];
    let mut linker = Linker::new(engine);
    for needed in &draft.dependencies {
        let instance = instantiate(&needed.name, all, engine, store, made);
        let exports: Vec<(String, Extern)> =
            instance.exports(&*store).map(|export| (export.name().to_owned(), export.into_extern())).collect();
        for (field, export) in exports {
            linker.define(&needed.name, &field, export).unwrap();
        }
    }
    let module = Module::new(engine, &draft.wasm).unwrap();
    let instance = linker.instantiate_and_start(&mut *store, &module).unwrap();
    made.insert(name.to_owned(), instance);
    instance
}

/// A function's text in a fresh run.
pub fn text(name: &str, function: &str, given: &[Given<'_>]) -> Option<String> {
    Machine::of(name).text(function, given)
}

/// A function's `i32` in a fresh run.
pub fn int(name: &str, function: &str, given: &[Given<'_>]) -> Option<i32> {
    Machine::of(name).call(function, given).map(|value| value.i32().unwrap())
}

/// A function's `i64` in a fresh run.
pub fn long(name: &str, function: &str, given: &[Given<'_>]) -> Option<i64> {
    Machine::of(name).call(function, given).map(|value| value.i64().unwrap())
}
