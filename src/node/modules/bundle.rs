//! Everything that is installed as one file: each module, and the lockfile that names them.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::node::api::Failure;
use crate::node::{Node, wording};

/// The lockfile's name in the bundle.
const LOCKFILE: &str = "gen-registry.lock.toml";

impl Node {
    pub(super) async fn export_all(&self) -> Result<Vec<u8>, Failure> {
        let mut bundle = ZipWriter::new(Cursor::new(Vec::new()));
        // Modules hardly shrink, and whoever unpacks them wants their hashes.
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let mut add = |name: &str, bytes: &[u8]| {
            let begun = bundle.start_file(name, stored);
            begun.and_then(|()| Ok(bundle.write_all(bytes)?)).map_err(|error| {
                tracing::error!(%error, "a bundle could not be made");
                wording::internal()
            })
        };
        add(LOCKFILE, self.export_lockfile()?.as_bytes())?;
        for module in self.list_installed() {
            let bytes = self.bytes_of(&module.name, &module.version).await?;
            add(&format!("{}-{}.wasm", module.name, module.version), &bytes)?;
        }
        bundle.finish().map(Cursor::into_inner).map_err(|error| {
            tracing::error!(%error, "a bundle could not be made");
            wording::internal()
        })
    }
}
