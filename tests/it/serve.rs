//! The server in front of a small built page: what each kind of request gets, and how the program starts and stops.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
};

use crate::support::addresses::{connect_from, local};
use crate::support::server::PROGRAM;
use crate::support::server::SCRIPT;
use crate::support::server::Server;
use crate::support::server::dist;
use crate::support::server::program;
use axum::{
    body::Body,
    http::{Request, Response, StatusCode, header},
};
use gen_registry_core::digest::hex;
use gen_registry_core::limits::PARAMETERS_VERSION;
use gen_registry_core::network::Genesis;
use gen_registry_node::Network;
use gen_registry_server::counts::ServerCounts;
use gen_registry_server::limits::HTTP_CONNECTIONS_PER_ADDRESS;
use gen_registry_server::serve::{counters, is_hashed, page};
use gen_registry_server::site::Site;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

fn site(dist: &Path) -> Site {
    Site {
        dist: dist.to_owned(),
        network: Network::default(),
        relay: None,
        catalogue: None,
        counts: ServerCounts::default(),
    }
}

async fn ask(path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let folder = dist();
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    page(site(folder.path())).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn one<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response.headers().get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    for path in ["/", "/sw.js", "/nothing.js", "/network.json", "/health", &format!("/{PROGRAM}")] {
        let response = ask(path, &[]).await;
        let policy = one(&response, "content-security-policy");
        assert!(policy.starts_with("default-src 'none';"), "{path}");
        assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval';"), "{path}");
        assert!(!policy.contains("unsafe-inline"), "{path}");
        assert!(policy.contains("frame-ancestors 'none';"), "{path}");
        assert!(policy.contains("require-trusted-types-for 'script';"), "{path}");
        assert_eq!(one(&response, "x-frame-options"), "DENY");
        assert!(
            policy.ends_with("; connect-src 'self' wss: ws:"),
            "{path}: the relays that a page knew stay reachable"
        );
        assert_eq!(one(&response, "x-content-type-options"), "nosniff");
        assert_eq!(one(&response, "referrer-policy"), "no-referrer");
        assert_eq!(one(&response, "cross-origin-opener-policy"), "same-origin");
        assert_eq!(one(&response, "cross-origin-resource-policy"), "same-origin");
        assert!(one(&response, "permissions-policy").contains("camera=()"));
    }
}

#[tokio::test]
async fn worker_for_modules_may_load_nothing() {
    let policy = one(&ask("/sandbox.js", &[]).await, "content-security-policy").to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'wasm-unsafe-eval';"), "{policy}");
    assert!(!policy.contains("-src 'self'"), "{policy}");
}

#[tokio::test]
async fn every_file_has_its_content_type() {
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/sw.js", "text/javascript; charset=utf-8"),
        ("/start.mjs", "text/javascript; charset=utf-8"),
        ("/manifest.webmanifest", "application/manifest+json"),
        ("/guide/operating.md", "text/markdown; charset=utf-8"),
        (&format!("/{PROGRAM}"), "application/wasm"),
    ] {
        let response = ask(path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(one(&response, "content-type"), kind, "{path}");
    }
}

#[tokio::test]
async fn hashed_names_are_immutable_and_others_revalidated() {
    for path in [format!("/{SCRIPT}"), format!("/{PROGRAM}")] {
        assert_eq!(one(&ask(&path, &[]).await, "cache-control"), "public, max-age=31536000, immutable");
    }
    for path in ["/", "/index.html", "/sw.js", "/boot.js", "/manifest.webmanifest"] {
        assert_eq!(one(&ask(path, &[]).await, "cache-control"), "no-cache", "{path}");
    }
    assert_eq!(one(&ask("/nothing.js", &[]).await, "cache-control"), "no-store");
}

#[test]
fn only_real_hashes_are_recognised() {
    assert!(is_hashed("/a-0123456789abcdef.css") && is_hashed("/x/a-b-0123456789abcdef_bg.wasm"));
    assert!(is_hashed("/a-562a9b3559ed3d0.js"), "leading zeros are left out");
    assert!(!is_hashed("/index.html") && !is_hashed("/a-0123456789abcdeX.css") && !is_hashed("/a-0123.css"));
    assert!(!is_hashed("/a-00123456789abcdef.css"), "one digit too many");
    assert!(!is_hashed("/0123456789abcdef"));
}

#[tokio::test]
async fn brotli_is_sent_when_accepted() {
    let path = format!("/{PROGRAM}");
    let packed = ask(&path, &[("accept-encoding", "gzip, br")]).await;
    assert_eq!(one(&packed, "content-encoding"), "br");
    assert_eq!(one(&packed, "content-type"), "application/wasm");
    assert!(one(&packed, "vary").contains("accept-encoding"));
    assert_eq!(text(packed).await, "packed program");

    let plain = ask(&path, &[("accept-encoding", "gzip")]).await;
    assert!(plain.headers().get(header::CONTENT_ENCODING).is_none());
    assert_eq!(text(plain).await, "program");
}

#[tokio::test]
async fn routes_serve_the_page_and_missing_files_are_not_found() {
    let accept = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    for path in [
        "/u/alice_smith",
        "/id/did:gen:z7v1",
        "/icons",
        "/guide",
        "/guide/operating",
        "/people?prefix=a",
        "/u/%C3%A9l%C3%A9a",
    ] {
        let response = ask(path, &accept).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(one(&response, "cache-control"), "no-cache");
        assert_eq!(text(response).await, "<!doctype html>page", "{path}");
    }
    let response = ask("/app-fedcba9876543210.js", &[("accept", "*/*")]).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_ne!(text(response).await, "<!doctype html>page");
}

#[tokio::test]
async fn status_endpoints_are_never_the_page_and_never_cached() {
    for path in ["/network.json", "/health"] {
        // A person may go there, too.
        let response = ask(path, &[("accept", "text/html,*/*;q=0.8")]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(one(&response, "content-type"), "application/json", "{path}");
        assert_eq!(one(&response, "cache-control"), "no-cache", "{path}");
    }
    let worker = include_str!("../../public/sw.js");
    assert!(worker.contains(r#"["/network.json", "/health"]"#), "the offline copy lets them through");
    let network: serde_json::Value = serde_json::from_str(&text(ask("/network.json", &[]).await).await).unwrap();
    let genesis = hex(&Genesis::without_witnesses(PARAMETERS_VERSION).encode());
    let expected = serde_json::json!({
        "parametersVersion": PARAMETERS_VERSION, "genesis": genesis, "iceServers": [], "relays": [],
    });
    assert_eq!(network, expected);
    let folder = dist();
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let response = counters(site(folder.path())).oneshot(request).await.unwrap();
    assert_eq!(one(&response, "content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let numbers = text(response).await;
    assert!(numbers.contains("\ngen_http_connections 0\n") && numbers.ends_with("# EOF\n"), "{numbers}");
}

#[tokio::test]
async fn older_file_is_not_answered_with_not_modified() {
    let later = [("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")];
    let response = ask("/index.html", &later).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers().get(header::LAST_MODIFIED).is_none());
}

#[tokio::test]
async fn only_get_and_head_are_allowed() {
    let folder = dist();
    let request = Request::post("/index.html").header("accept", "text/html").body(Body::empty()).unwrap();
    let response = page(site(folder.path())).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
}

// ---- the real program ----

#[test]
fn files_outside_the_folder_are_not_served() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.txt"), "the secret").unwrap();
    let inside = outside.path().join("dist");
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("index.html"), "page").unwrap();
    let server = Server::start(&inside);
    assert!(server.raw("/index.html").ends_with("page"), "the server does serve");

    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/x/../../secret.txt",
        "//../secret.txt",
        "/..%5csecret.txt",
    ] {
        let answer = server.raw(path);
        assert!(!answer.contains("the secret"), "{path}: {answer}");
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
    }
}

#[test]
fn taken_port_is_reported_with_advice() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = dist();
    let arguments = ["serve", "--http", &address, "--no-p2p", "--dist", folder.path().to_str().unwrap()];
    let output = program(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&format!("port {} on 127.0.0.1 is taken", taken.local_addr().unwrap().port())), "{error}");
    assert!(error.contains("--http"), "{error}");
}

#[test]
fn missing_page_is_reported_with_how_to_build_it() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["serve", "--http", "127.0.0.1:0", "--no-p2p", "--dist", folder.path().to_str().unwrap()];
    let output = program(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("make build") && error.contains(folder.path().to_str().unwrap()), "{error}");
}

#[cfg(unix)]
#[test]
fn program_stops_cleanly_on_sigterm() {
    let folder = dist();
    let mut server = Server::start(folder.path());
    assert!(server.raw("/").starts_with("HTTP/1.1 200"));
    // A connection somebody keeps open must not hold the program.
    let _open = TcpStream::connect(&server.address).unwrap();
    let stopped = Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert!(server.child.wait().unwrap().success());
    assert!(TcpStream::connect(&server.address).is_err(), "nobody listens any more");
}

/// Whether the server has ended a connection: it sends nothing more.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn connections_that_say_nothing_are_closed() {
    let folder = dist();
    let server = Server::start(folder.path());
    let (mut silent, mut half) =
        (TcpStream::connect(&server.address).unwrap(), TcpStream::connect(&server.address).unwrap());
    half.write_all(b"GET / HTT").unwrap();
    let mut done = TcpStream::connect(&server.address).unwrap();
    done.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert!(server.raw("/").starts_with("HTTP/1.1 200"), "others are answered meanwhile");
    for (stream, what) in [(&mut silent, "silent"), (&mut half, "half a request"), (&mut done, "idle")] {
        assert!(is_closed(stream), "{what}");
    }
}

#[tokio::test]
async fn connections_of_one_address_leave_room_for_others() {
    let folder = dist();
    let server = Server::start(folder.path());
    let to = server.address.parse().unwrap();
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(connect_from(local(1), to).await.unwrap());
    }
    let mut refused = 0;
    for stream in &mut held {
        let ended = tokio::time::timeout(std::time::Duration::from_millis(50), stream.read(&mut [0; 1])).await;
        refused += usize::from(ended.is_ok());
    }
    assert!(refused >= 100 - HTTP_CONNECTIONS_PER_ADDRESS, "{refused}");
    let mut other = connect_from(local(2), to).await.unwrap();
    other.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    other.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let counted = server.counters();
    let counted = counted.lines().find_map(|line| line.strip_prefix("gen_http_connections_refused_total ")).unwrap();
    assert_eq!(counted.parse(), Ok(refused), "those that were closed are counted");
}

#[tokio::test]
async fn operators_see_what_is_counted_on_a_page_that_runs_nothing() {
    let folder = dist();
    let server = Server::with(folder.path(), &["--no-witness", "--no-catalogue"]);
    assert!(server.raw("/").starts_with("HTTP/1.1 200"));
    let page = server.dashboard();
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains("content-security-policy: default-src 'none'"), "{head}");
    assert!(!body.contains("<script"), "{body}");
    for row in [
        "Relay</th><td>running</td>",
        "Witness</th><td>off</td>",
        "Requests that were answered</th><td>1</td>",
        "Connections for pages that were closed at once, over a limit</th><td>0</td>",
        "Reservations refused because one address holds its share</th><td>0</td>",
    ] {
        assert!(body.contains(row), "{row}: {body}");
    }
    assert!(server.raw("/dashboard").starts_with("HTTP/1.1 404"), "it is not on the address of the page");
}

#[test]
fn requests_that_are_too_large_are_refused() {
    let folder = dist();
    let server = Server::start(folder.path());
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let filler = "x".repeat(64 * 1024);
    // The server may close before all is written.
    let _ = write!(stream, "GET / HTTP/1.1\r\nhost: x\r\nfiller: {filler}\r\nconnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 431") || answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn counters_are_not_on_the_address_of_the_page() {
    let folder = dist();
    let server = Server::start(folder.path());
    assert!(server.raw("/metrics").starts_with("HTTP/1.1 404"));
    assert!(server.counters().ends_with("# EOF\n"), "{}", server.counters());
}

#[tokio::test]
async fn requests_of_one_client_count_behind_a_trusted_proxy() {
    let folder = dist();
    let many = "x".repeat(16 << 20);
    fs::write(folder.path().join("many.txt"), many).unwrap();
    let server =
        Server::with(folder.path(), &["--no-p2p", "--trusted-proxy", "127.0.7.1", "--limit-http-address", "2"]);
    let to = server.address.parse().unwrap();
    // Answers that nobody reads stay under way.
    let mut held = Vec::new();
    let mut ask = async |proxy: u8, client: &str| {
        let mut stream = connect_from(local(proxy), to).await.unwrap();
        let head = format!("GET /many.txt HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {client}\r\n\r\n");
        // It may be closed at once.
        let _ = stream.write_all(head.as_bytes()).await;
        let mut status = [0; 12];
        let answered = stream.read_exact(&mut status).await;
        held.push(stream);
        answered.map(|_| String::from_utf8_lossy(&status[9..]).into_owned()).unwrap_or_default()
    };
    assert_eq!([ask(1, "192.0.2.1").await, ask(1, "192.0.2.1").await], ["200", "200"]);
    assert_eq!(ask(1, "203.0.113.9, 192.0.2.1").await, "429", "whatever the client itself says before");
    assert_eq!(ask(1, "192.0.2.2").await, "200", "another client of the same proxy");
    for client in ["192.0.2.3", "192.0.2.4"] {
        assert_eq!(ask(2, client).await, "200");
    }
    assert_eq!(ask(2, "192.0.2.5").await, "", "nobody else is believed");
}
