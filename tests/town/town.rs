//! The program's two acts.

mod liar;
mod make;
mod nodes;
mod people;
mod serve;
#[path = "../support/people.rs"]
#[allow(dead_code, reason = "stories use the rest")]
mod worked;

use std::error::Error;
use std::path::Path;

use gen_registry_node::Network;
use gen_registry_node::network::NetworkParameters;
use tokio::task::LocalSet;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match words[..] {
        ["make", folder, people, modules] => {
            let making = make::make(folder.as_ref(), people.parse()?, modules.parse()?);
            runtime.block_on(LocalSet::new().run_until(making))
        }
        ["serve", folder, network] => {
            runtime.block_on(LocalSet::new().run_until(serve::serve(folder.as_ref(), network.as_ref())))
        }
        _ => Err("see the first lines".into()),
    }
}

fn network_in(file: &Path) -> Result<Network, Box<dyn Error>> {
    let parameters: NetworkParameters = serde_json::from_slice(&std::fs::read(file)?)?;
    Ok(Network::try_from(&parameters)?)
}
