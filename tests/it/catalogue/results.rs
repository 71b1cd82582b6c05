//! What the catalogue's modules compute, beside vectors that others published and beside plain Rust.

use crate::catalogue::machine::{int, long, text};

const FOX: &str = "The quick brown fox jumps over the lazy dog";

#[test]
fn checksums_and_hashes_are_those_of_their_definitions() {
    // The check value of the CRC catalogue; zlib's own for the others.
    for (given, crc) in [("123456789", 0xcbf4_3926_u32), ("", 0), ("a", 0xe8b7_be43), (FOX, 0x414f_a339)] {
        assert_eq!(int("crc32", "crc32", &[given.into()]), Some(crc as i32), "{given}");
    }
    let adlers = [("Wikipedia", 0x11e6_0398_u32), ("", 1), ("abc", 0x024d_0127)];
    for (given, adler) in adlers {
        assert_eq!(int("adler32", "adler32", &[given.into()]), Some(adler as i32), "{given}");
    }
    // RFC 9923, appendix C.
    let fnv = [
        ("", 0x811c_9dc5_u32, 0xcbf2_9ce4_8422_2325_u64),
        ("a", 0xe40c_292c, 0xaf63_dc4c_8601_ec8c),
        ("foobar", 0xbf9c_f968, 0x8594_4171_f739_67e8),
    ];
    for (given, short, wide) in fnv {
        assert_eq!(int("fnv1a", "fnv1a32", &[given.into()]), Some(short as i32), "{given}");
        assert_eq!(long("fnv1a", "fnv1a64", &[given.into()]), Some(wide as i64), "{given}");
    }
    for (given, seed, hash) in [
        ("", 0_u32, 0_u32),
        ("", 1, 0x514e_28b7),
        ("", 0xffff_ffff, 0x81f1_6f39),
        ("test", 0, 0xba6b_d213),
        ("test", 0x9747_b28c, 0x704b_81dc),
        ("Hello, world!", 0, 0xc036_3e43),
        ("Hello, world!", 0x9747_b28c, 0x2488_4cba),
        (FOX, 0, 0x2e4f_f723),
        (FOX, 0x9747_b28c, 0x2fa8_26cd),
    ] {
        assert_eq!(int("murmur3", "murmur3", &[given.into(), (seed as i32).into()]), Some(hash as i32), "{given}");
    }
}

#[test]
fn encodings_round_trip_and_reject_invalid_text() {
    // RFC 4648, section 10.
    for (plain, base64, hex) in [
        ("", "", ""),
        ("f", "Zg==", "66"),
        ("fo", "Zm8=", "666f"),
        ("foo", "Zm9v", "666f6f"),
        ("foob", "Zm9vYg==", "666f6f62"),
        ("fooba", "Zm9vYmE=", "666f6f6261"),
        ("foobar", "Zm9vYmFy", "666f6f626172"),
        ("ÿ€😀?>", "w7/igqzwn5iAPz4=", "c3bfe282acf09f98803f3e"),
    ] {
        for (name, encoded) in [("base64", base64), ("hex", hex)] {
            assert_eq!(text(name, "encode", &[plain.into()]).as_deref(), Some(encoded));
            assert_eq!(text(name, "decode", &[encoded.into()]).as_deref(), Some(plain));
        }
    }
    for bad in ["Zg", "Zg=", "Zm9vZ", "Z===", "====", "Zg==Zg==", "Zm9*", "Zh==", "Zm9=", "=Zm9", "Z=m9"] {
        assert_eq!(text("base64", "decode", &[bad.into()]), None, "{bad}");
    }
    assert_eq!(text("hex", "decode", &["666F6f".into()]).as_deref(), Some("foo"));
    for bad in ["6", "6g", " 6", "@0", "0`", "0:", "0/", "0G"] {
        assert_eq!(text("hex", "decode", &[bad.into()]), None, "{bad}");
    }
    let long_text = "a long text, again and again. ".repeat(10_000);
    let there = text("base64", "encode", &[(&*long_text).into()]).unwrap();
    assert_eq!(text("base64", "decode", &[(&*there).into()]), Some(long_text), "memory grows as needed");
}

#[test]
fn text_functions_compare_reverse_and_count() {
    for (a, b, distance) in [
        ("kitten", "sitting", 3),
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("flaw", "lawn", 2),
        ("naïve", "naive", 1),
        ("😀", "😁", 1),
        ("same", "same", 0),
    ] {
        assert_eq!(int("levenshtein", "distance", &[a.into(), b.into()]), Some(distance), "{a} {b}");
    }
    assert_eq!(text("rot13", "rot13", &["Hello, AMNZ amnz [`{@ é!".into()]).unwrap(), "Uryyb, NZAM nzam [`{@ é!");
    for given in ["", "one", " two  words ", "a\nb\n", "a\r\n\tb", "é € 😀", "\u{b}\u{c}x", "\n"] {
        let [words, lines, characters] =
            ["words", "lines", "characters"].map(|what| int("word-count", what, &[given.into()]).unwrap() as usize);
        let space = |letter: char| letter.is_ascii_whitespace() || letter == '\u{b}';
        assert_eq!(words, given.split(space).filter(|word| !word.is_empty()).count(), "{given:?}");
        assert_eq!(lines, given.lines().count(), "{given:?}");
        assert_eq!(characters, given.chars().count(), "{given:?}");
    }
}

#[test]
fn number_functions_validate_format_and_divide() {
    for (number, valid) in [
        ("79927398713", 1),
        ("4111 1111-1111 1111", 1),
        ("79927398710", 0),
        ("0", 0),
        ("", 0),
        ("00", 1),
        ("7992739871x", 0),
    ] {
        assert_eq!(int("luhn", "is_valid", &[number.into()]), Some(valid), "{number}");
    }
    for (number, digit) in [("7992739871", 3), ("411111111111111", 1), ("", -1), ("12a", -1)] {
        assert_eq!(int("luhn", "check_digit", &[number.into()]), Some(digit), "{number}");
    }
    for (number, roman) in [(1, "I"), (4, "IV"), (1994, "MCMXCIV"), (3888, "MMMDCCCLXXXVIII"), (3999, "MMMCMXCIX")] {
        assert_eq!(text("roman-numerals", "to_roman", &[number.into()]).as_deref(), Some(roman));
    }
    for number in (1..4000).step_by(37) {
        let roman = text("roman-numerals", "to_roman", &[number.into()]).unwrap();
        assert_eq!(int("roman-numerals", "from_roman", &[(&*roman).into()]), Some(number), "{roman}");
    }
    for number in [0, -1, 4000, i32::MIN] {
        assert_eq!(text("roman-numerals", "to_roman", &[number.into()]), None, "{number}");
    }
    for bad in ["", "IIII", "IC", "VX", "mcm", "MMMM", "I I", "IVI", "MMMDCCCLXXXVIIII"] {
        assert_eq!(int("roman-numerals", "from_roman", &[bad.into()]), Some(0), "{bad}");
    }
    for (a, b, gcd, lcm) in [(48, 36, 12, 144), (0, 5, 5, 0), (7, 0, 7, 0), (0, 0, 0, 0), (17, 31, 1, 527)] {
        assert_eq!(long("number-theory", "gcd", &[i64::into(a), i64::into(b)]), Some(gcd));
        assert_eq!(long("number-theory", "lcm", &[i64::into(a), i64::into(b)]), Some(lcm));
    }
    let primes: Vec<i32> =
        (0..60).filter(|number| int("number-theory", "is_prime", &[(*number).into()]) == Some(1)).collect();
    assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]);
    // The largest prime below 2^32, and its square's neighbour 65521 * 65537.
    for (number, prime) in [(4_294_967_291_u32, 1), (4_294_967_295, 0), (4_294_049_777, 0), (2_147_483_647, 1)] {
        assert_eq!(int("number-theory", "is_prime", &[(number as i32).into()]), Some(prime), "{number}");
    }
    for (base, exponent, modulus, power) in
        [(4_i64, 13_i64, 497_i64, 445_i64), (2, 0, 1, 0), (3, 1 << 40, 4_294_967_291, modulo_power())]
    {
        let given = [base.into(), exponent.into(), modulus.into()];
        assert_eq!(long("number-theory", "power_modulo", &given), Some(power));
    }
    for modulus in [0_i64, 1 << 32, -1] {
        assert_eq!(long("number-theory", "power_modulo", &[2_i64.into(), 2_i64.into(), modulus.into()]), None);
    }
}

/// 3 ^ 2^40 by squaring forty times.
fn modulo_power() -> i64 {
    let power = (0..40).fold(3_u128, |power, _| power * power % 4_294_967_291);
    i64::try_from(power).unwrap()
}

#[test]
fn catalogue_has_the_expected_dependencies() {
    let escape = |re: f64, im: f64| int("mandelbrot", "escape", &[re.into(), im.into(), 100.into()]).unwrap();
    assert_eq!([escape(0.0, 0.0), escape(-1.0, 0.0), escape(0.0, 1.0)], [100; 3], "these stay");
    assert_eq!([escape(1.0, 0.0), escape(2.0, 2.0)], [3, 1], "0, 1, 2, 5; and 0, 2+2i");
    let picture = text("mandelbrot", "draw", &[60.into(), 21.into()]).unwrap();
    let lines: Vec<&str> = picture.lines().collect();
    assert_eq!((lines.len(), lines[0].len()), (21, 60));
    assert!(lines[10].contains('@') && !lines[0].contains('@'), "{picture}");
    assert!(lines.iter().eq(lines.iter().rev()), "one half is the other's image");
    for (width, height) in [(0, 1), (1, 0), (401, 1), (1, -1)] {
        assert_eq!(text("mandelbrot", "draw", &[width.into(), height.into()]), None);
    }
}

#[test]
fn dependent_modules_work_with_their_dependencies() {
    // RFC 9562, appendix A.3; then with every bit set.
    let (high, low) = (0x9191_08f7_52d1_4320_u64 as i64, 0x9bac_f847_db41_48a8_u64 as i64);
    assert_eq!(text("uuid", "v4", &[high.into(), low.into()]).unwrap(), "919108f7-52d1-4320-9bac-f847db4148a8");
    let all = (-1_i64).into();
    assert_eq!(text("uuid", "v4", &[all, (-1_i64).into()]).unwrap(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    let none = text("uuid", "v4", &[0_i64.into(), 0_i64.into()]).unwrap();
    assert_eq!(none, "00000000-0000-4000-8000-000000000000");
    for (given, tag) in [("123456789", "W/\"9-cbf43926\""), ("", "W/\"0-00000000\""), (FOX, "W/\"2b-414fa339\"")] {
        assert_eq!(text("etag", "weak", &[given.into()]).as_deref(), Some(tag));
    }
    let url = text("data-url", "data_url", &["Grüße".into()]).unwrap();
    assert_eq!(url, "data:text/plain;charset=utf-8;base64,R3LDvMOfZQ==");
    assert_eq!(text("data-url", "data_url", &["".into()]).unwrap(), "data:text/plain;charset=utf-8;base64,");
    // RFC 7617, sections 2 and 2.1.
    for (name, password, header) in
        [("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), ("test", "123£", "Basic dGVzdDoxMjPCow==")]
    {
        assert_eq!(text("basic-auth", "header", &[name.into(), password.into()]).as_deref(), Some(header));
    }
    assert_eq!(text("basic-auth", "header", &["a:b".into(), "c".into()]), None);
}
