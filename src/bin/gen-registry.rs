//! Native entry: the command line. It parses, calls, and prints; it decides nothing.

#[cfg(not(target_arch = "wasm32"))]
mod program {
    use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

    use anyhow::Context;
    use clap::{Parser, Subcommand};
    use gen_registry::native::{
        pack::pack,
        serve::{ServeOptions, serve},
    };

    /// A local-first, peer-to-peer registry of usernames and WebAssembly modules.
    #[derive(Parser)]
    #[command(version, arg_required_else_help = true)]
    struct Arguments {
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Subcommand)]
    enum Command {
        /// Serve the built page.
        Serve {
            /// Address to listen on; port 0 takes any free one.
            #[arg(long, default_value = "127.0.0.1:8080", env = "GEN_REGISTRY_HTTP")]
            http: SocketAddr,
            /// Folder with the built page.
            #[arg(long, default_value = "dist", env = "GEN_REGISTRY_DIST")]
            dist: PathBuf,
            /// Folder for what the server itself keeps.
            #[arg(long, env = "GEN_REGISTRY_DATA")]
            data: Option<PathBuf>,
        },
        /// Finish a built page: join the stylesheets, list the files for the service worker, compress.
        Pack {
            /// Folder with the built page.
            #[arg(env = "TRUNK_STAGING_DIR")]
            folder: PathBuf,
            /// Brotli quality, 0 to 11 [default: 11 for a release build, else 5].
            #[arg(long, value_parser = clap::value_parser!(u32).range(0..=11))]
            quality: Option<u32>,
        },
    }

    pub fn main() -> ExitCode {
        let arguments = Arguments::parse();
        let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
        match run(arguments.command) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("gen-registry: {error:#}");
                ExitCode::FAILURE
            }
        }
    }

    fn run(command: Command) -> anyhow::Result<()> {
        match command {
            Command::Serve { http, dist, data } => {
                let runtime = tokio::runtime::Runtime::new().context("could not start the runtime")?;
                let listening = |address| println!("http://{address}/");
                runtime.block_on(serve(ServeOptions { http, dist, data }, listening, asked_to_stop()))?;
            }
            Command::Pack { folder, quality } => {
                let release = std::env::var("TRUNK_PROFILE").is_ok_and(|profile| profile == "release");
                let quality = quality.unwrap_or(if release { 11 } else { 5 });
                let packed = pack(&folder, quality)?;
                eprintln!(
                    "packed build {}: {} files for offline use, {} KiB, {} KiB on the wire",
                    packed.build,
                    packed.assets.len(),
                    packed.bytes / 1024,
                    packed.compressed_bytes / 1024
                );
            }
        }
        Ok(())
    }

    /// Done at ctrl-c, or when the system asks the process to end.
    async fn asked_to_stop() {
        let interrupt = async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        #[cfg(unix)]
        let terminate = async {
            match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                Ok(mut signal) => {
                    signal.recv().await;
                }
                Err(_) => std::future::pending().await,
            }
        };
        #[cfg(not(unix))]
        let terminate = std::future::pending::<()>();
        tokio::select! {
            () = interrupt => {}
            () = terminate => {}
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    program::main()
}

/// Cargo builds every binary for every target; in the browser there is nothing to do here.
#[cfg(target_arch = "wasm32")]
fn main() {}
