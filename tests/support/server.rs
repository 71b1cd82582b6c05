//! The real server program, in front of a small built page.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub const SCRIPT: &str = "app-0123456789abcdef.js";
pub const PROGRAM: &str = "app-0123456789abcdef_bg.wasm";

/// A folder with a page as a build leaves it.
pub fn dist() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("index.html", "<!doctype html>page"),
        ("sw.js", "worker"),
        ("boot.js", "boot"),
        ("start.mjs", "start"),
        ("manifest.webmanifest", "{}"),
        (SCRIPT, "script"),
        (PROGRAM, "program"),
        ("app-0123456789abcdef_bg.wasm.br", "packed program"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::create_dir(folder.path().join("icons")).unwrap();
    fs::create_dir(folder.path().join("guide")).unwrap();
    fs::write(folder.path().join("guide/operating.md"), "# Operating a server").unwrap();
    folder
}

pub fn program(arguments: &[&str]) -> Command {
    // Cargo gives tests the path of their own package's programs only; this one lies beside the folder of the tests.
    let beside = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("gen-registry");
    assert!(beside.exists(), "{} is not there: cargo build --package gen-registry-server", beside.display());
    let mut command = Command::new(beside);
    // The usual port is for one server of a machine.
    command.env("GEN_REGISTRY_METRICS", "127.0.0.1:0");
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What the program prints. Panics if it fails.
pub fn printed(arguments: &[&str]) -> String {
    let output = program(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Why the program refuses.
pub fn refused(arguments: &[&str]) -> String {
    let output = program(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// A running server; ends with the test.
pub struct Server {
    pub child: Child,
    pub address: String,
    /// Where its counters are.
    metrics: String,
}

impl Server {
    /// Without a relay.
    pub fn start(dist: &Path) -> Self {
        Self::with(dist, &["--no-p2p"])
    }

    pub fn with(dist: &Path, more: &[&str]) -> Self {
        let arguments = ["serve", "--http", "127.0.0.1:0", "--dist", dist.to_str().unwrap()];
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let metrics = free.to_string();
        let mut child = program(&[&arguments[..], &["--metrics", &metrics], more].concat()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix('/'));
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
        Self { child, address, metrics }
    }

    /// Sends the path as it is, without the tidying an HTTP client would do.
    pub fn raw(&self, path: &str) -> String {
        Self::ask(&self.address, path)
    }

    /// Its counters.
    pub fn counters(&self) -> String {
        Self::ask(&self.metrics, "/metrics")
    }

    /// The page for operators.
    pub fn dashboard(&self) -> String {
        Self::ask(&self.metrics, "/")
    }

    fn ask(address: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

#[cfg(unix)]
impl Server {
    /// Stops the process where it is: it answers nothing, and its connections stand.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a stopped process go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Ends the process at once, as a loss of power does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success(), "kill {signal}");
    }
}

/// What `/network.json` of a server says.
pub fn network_of(server: &Server) -> serde_json::Value {
    let answer = server.raw("/network.json");
    serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
