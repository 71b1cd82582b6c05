//! The headers that protect the page: what it may load, run and connect to, whoever serves it.
//!
//! `gen-registry serve` sends them with each answer. Another host may not, so packing writes them down twice: as a
//! `<meta>` of the page, which every host hands out, and as `_headers`, which some hosts read. A `<meta>` can't say who
//! may frame the page, and no header of the others; for that a host must send the headers.

/// The page's Content Security Policy without `frame-ancestors` and `connect-src`: no inline script or style, nothing
/// from elsewhere, and no text that becomes HTML or the address of a script but through `public/trusted_types.js`.
macro_rules! page_policy {
    () => {
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; \
        img-src 'self' blob: data:; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
        require-trusted-types-for 'script'; trusted-types default gen-registry-check; "
    };
}

/// The page's policy as a header, up to its own server in `connect-src`; further sources are appended.
pub const HEADER_POLICY: &str = concat!(page_policy!(), "frame-ancestors 'none'; connect-src 'self'");
/// Sources for `connect-src` where the relays' addresses are not known: a page keeps the relays that it knew.
pub const ANY_RELAY: &str = " wss: ws:";
/// The page's policy as a `<meta>`. Browsers ignore `frame-ancestors` there.
const META_POLICY: &str = concat!(page_policy!(), "connect-src 'self' wss: ws:");
/// The file with a module's function in a worker of its own.
pub const SANDBOX: &str = "/sandbox.js";
/// The policy of [`SANDBOX`], which a worker takes from its own file: it runs WebAssembly and loads nothing.
pub const SANDBOX_POLICY: &str = "default-src 'none'; script-src 'wasm-unsafe-eval'; \
    require-trusted-types-for 'script'; trusted-types 'none'";
/// What the page does not need is denied, to injected code, too.
const PERMISSIONS_POLICY: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
    magnetometer=(), microphone=(), midi=(), payment=(), usb=()";

/// The other headers of every answer, names in lower case.
pub const SECURITY_HEADERS: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("permissions-policy", PERMISSIONS_POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// The file of headers that some static hosts read (Cloudflare Pages, Netlify).
pub(crate) const HEADERS_FILE: &str = "_headers";

/// Returns the text of [`HEADERS_FILE`]. Of two policies for one file a browser keeps both.
pub(crate) fn headers_file() -> String {
    let mut text = format!("/*\n  content-security-policy: {HEADER_POLICY}{ANY_RELAY}\n");
    for (name, value) in SECURITY_HEADERS {
        text.push_str(&format!("  {name}: {value}\n"));
    }
    text.push_str(&format!("{SANDBOX}\n  content-security-policy: {SANDBOX_POLICY}\n"));
    text
}

/// Where the page's head begins.
const HEAD: &str = "<head>";
/// How the policy's tag begins.
const META: &str = "<meta http-equiv=\"Content-Security-Policy\"";

/// Returns the page with the policy at the beginning of its head, before anything that it governs. One of an earlier
/// packing is replaced. Returns `None` if the page has no head.
pub(crate) fn put_policy(index: &str) -> Option<String> {
    let meta = format!("{META} content=\"{META_POLICY}\">\n");
    let mut index = index.to_owned();
    if let Some(start) = index.find(META) {
        let end = start + index[start..].find('>')? + 1;
        let end = end + usize::from(index[end..].starts_with('\n'));
        index.replace_range(start..end, "");
    }
    let head = index.find(HEAD)? + HEAD.len();
    let head = head + usize::from(index[head..].starts_with('\n'));
    index.insert_str(head, &meta);
    Some(index)
}
