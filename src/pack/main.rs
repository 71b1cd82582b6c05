//! Packs a built page: `gen-registry-pack FOLDER`. A program of its own, so that a build of the page waits for nothing else.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use gen_registry_pack::{FIRST_LOAD_MAX_BYTES, pack};

/// Finishes a built page: joins the stylesheets, lists the files for the service worker, compresses.
#[derive(Parser)]
#[command(version)]
struct PackArguments {
    /// Folder with the built page.
    #[arg(env = "TRUNK_STAGING_DIR")]
    folder: PathBuf,
    /// Brotli quality, 0 to 11 [default: 11 for a release build, else 5].
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=11))]
    quality: Option<u32>,
}

fn main() -> ExitCode {
    let PackArguments { folder, quality } = PackArguments::parse();
    let release = std::env::var("TRUNK_PROFILE").is_ok_and(|profile| profile == "release");
    let packed = match pack(&folder, quality.unwrap_or(if release { 11 } else { 5 })) {
        Ok(packed) => packed,
        Err(error) => {
            eprintln!("gen-registry-pack: {error}");
            return ExitCode::FAILURE;
        }
    };
    eprintln!(
        "packed build {}: {} files for offline use, {} KiB, {} KiB on the wire",
        packed.build,
        packed.assets.len(),
        packed.bytes / 1024,
        packed.compressed_bytes / 1024
    );
    let (first, most) = (packed.first_load_bytes, FIRST_LOAD_MAX_BYTES);
    eprintln!("first load: {first} bytes on the wire; the budget is {most}");
    if release && first > most {
        eprintln!(
            "WARNING: the first load is {} bytes, {} %, over the budget",
            first - most,
            (first - most) * 100 / most
        );
    }
    ExitCode::SUCCESS
}
