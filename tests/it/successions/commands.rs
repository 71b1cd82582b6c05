//! What the commands take and refuse. A refusal says what to do, writes nothing and loses nothing.

use std::fs::{self, File};
use std::path::PathBuf;

use gen_registry_core::book::handover::{HANDOVER_MAX_BYTES, Handover};
use gen_registry_core::digest::{Digest, hex};
use gen_registry_core::keys::SecretKey;
use gen_registry_core::network::{Closing, FactList, SetChange, SignedSetChange, WitnessSet};
use gen_registry_server::keys::{SUCCESSION_KEY, WITNESS_KEY};
use gen_registry_server::network::change_file::CHANGE_FILE_MAX_BYTES;
use gen_registry_server::network::{NETWORK_FILE, NetworkSource};
use gen_registry_server::witness::BOOK_FILE;

use super::operators::{Operators, flags, text};
use crate::support::server::{network_of, printed, refused};

/// Operators of a network whose witnesses have handed over, and the keys of the next set.
struct Scene {
    operators: Operators,
    network: PathBuf,
    handovers: Vec<PathBuf>,
    keys: Vec<String>,
}

impl Scene {
    fn new() -> Self {
        let operators = Operators::new();
        let network = operators.found();
        let handovers = (0..3).map(|at| {
            let witness = format!("old-{at}");
            operators.joined(&witness, &network);
            operators.stopped(&witness)
        });
        let handovers = handovers.collect();
        let keys = operators.keys("new");
        Self { operators, network, handovers, keys }
    }

    /// What an operator types to make or sign a change, without the new set.
    fn signing<'a>(&'a self, command: &'a str, handovers: &'a [PathBuf], key: &'a str, out: &'a str) -> Vec<&'a str> {
        let mut arguments = vec!["network", command, "--network", text(&self.network)];
        arguments.extend(handovers.iter().flat_map(|file| ["--handover", text(file)]));
        arguments.extend(["--succession-key", key, "--out", out]);
        arguments
    }

    fn key(&self, at: usize) -> String {
        text(&self.operators.succession_key(&format!("old-{at}"))).to_owned()
    }

    /// A file that is not there yet.
    fn out(&self, name: &str) -> String {
        text(&self.operators.file(name)).to_owned()
    }

    /// A change that the first operator made of the first two hand-overs.
    fn changed(&self) -> String {
        let (key, out) = (self.key(0), self.out("change-1.json"));
        let said = printed(&[self.signing("change", &self.handovers[..2], &key, &out), flags(&self.keys)].concat());
        assert!(said.contains("1 of the 2 that are needed") && said.contains("1 more operator has to sign"), "{said}");
        out
    }

    /// Why a change to a set is refused. Nothing is written.
    fn refused_change(&self, handovers: &[PathBuf], key: &str, set: &[&str]) -> String {
        let out = self.out("refused.json");
        let why = refused(&[&self.signing("change", handovers, key, &out)[..], set].concat());
        assert!(fs::metadata(&out).is_err(), "{why}");
        why
    }
}

/// The whole way, with signatures one after another and side by side, and the modes and names of the files.
#[test]
fn change_is_signed_one_after_another_and_applied() {
    let scene = Scene::new();
    let first = scene.changed();
    let changed = scene.out("changed.json");
    let apply = |changes: &[&str], out: &str| -> Vec<String> {
        let network = text(&scene.network);
        let rest = ["--network", network, "--out", out];
        [&["network", "apply"], changes, &rest].concat().into_iter().map(str::to_owned).collect()
    };
    let apply_refused = |changes: &[&str]| {
        let arguments = apply(changes, &changed);
        let why = refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(fs::metadata(&changed).is_err(), "{why}");
        why
    };
    let few = apply_refused(&[&first]);
    assert!(
        few.contains("1 of the 2 signatures") && few.contains("is missing") && few.contains("network sign"),
        "{few}"
    );
    // One that has signed adds nothing, also given twice.
    assert!(apply_refused(&[&first, &first]).contains("1 of the 2 signatures"));
    let (own, out) = (scene.key(0), scene.out("refused.json"));
    let again = scene.signing("sign", &scene.handovers[..2], &own, &out);
    assert!(refused(&[&again[..], &[&first]].concat()).contains("signed this change already"));
    let (second_key, second) = (scene.key(1), scene.out("change-2.json"));
    let sign = scene.signing("sign", &scene.handovers[..2], &second_key, &second);
    let said = printed(&[&sign[..], &[&first]].concat());
    assert!(said.contains("2 of the 2 that are needed") && said.contains("network apply"), "{said}");
    for keys in &scene.keys {
        assert!(keys.split(' ').skip(1).step_by(2).all(|key| said.contains(key)), "who signs sees the new set: {said}");
    }
    let arguments = apply(&[&second], &changed);
    let shown = printed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(printed(&["network", "show", &changed]), shown);
    assert!(shown.contains("Change      1 "), "{shown}");
    // Where pages find the new witnesses is said by whoever writes the file.
    let (relay, moved) = (
        "/ip4/192.0.2.1/tcp/443/wss/p2p/12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X",
        scene.out("moved.json"),
    );
    let arguments = apply(&[&second, "--relay", relay], &moved);
    assert!(printed(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).contains(relay));
    let server = scene.operators.serve("old-0", moved.as_ref(), &[]);
    assert_eq!(network_of(&server)["relays"][1], relay);
    drop(server);
    let nameless = apply(&[&second, "--relay", "/ip4/192.0.2.1/tcp/443/wss"], &changed);
    assert!(refused(&nameless.iter().map(String::as_str).collect::<Vec<_>>()).contains("/p2p/NAME"));
    let many = [vec![&*second], ["--relay", relay].repeat(17)].concat();
    let many = apply(&many, &scene.out("refused.json"));
    assert!(refused(&many.iter().map(String::as_str).collect::<Vec<_>>()).contains("at most 16 relays"));
    // Two who signed at the same time are joined.
    let (side_key, side, joined) = (scene.key(2), scene.out("side.json"), scene.out("joined.json"));
    let make = scene.signing("change", &scene.handovers[..2], &side_key, &side);
    printed(&[&make[..], &flags(&scene.keys)].concat());
    let arguments = apply(&[&first, &side], &joined);
    assert_eq!(printed(&arguments.iter().map(String::as_str).collect::<Vec<_>>()), shown, "the same change");
    // What was followed is not made once more.
    let followed = refused(&["network", "apply", &second, "--network", &changed, "--out", &scene.out("refused.json")]);
    assert!(followed.contains("has followed number 1 already"), "{followed}");
    assert!(fs::metadata(scene.out("refused.json")).is_err());
}

#[test]
fn no_file_is_written_over() {
    let scene = Scene::new();
    let first = scene.changed();
    let there = scene.out("there.json");
    fs::write(&there, "all that is left of something").unwrap();
    let data = scene.operators.data("old-0");
    let (key, set) = (scene.key(1), flags(&scene.keys));
    for arguments in [
        vec!["network", "stop", "--data", text(&data), "--out", &there],
        [scene.signing("change", &scene.handovers, &key, &there), set].concat(),
        [scene.signing("sign", &scene.handovers[..2], &key, &there), vec![&*first]].concat(),
        vec!["network", "apply", &first, "--network", text(&scene.network), "--out", &there],
        vec!["network", "found", "--name", "Other", "--out", &there],
    ] {
        let why = refused(&arguments);
        assert!(why.contains("there.json exists") && why.contains("Name another file"), "{why}");
        assert_eq!(fs::read_to_string(&there).unwrap(), "all that is left of something");
    }
}

#[test]
fn hand_overs_that_are_not_of_this_set_are_refused() {
    let scene = Scene::new();
    let (key, set) = (scene.key(0), flags(&scene.keys));
    let refused = |files: &[PathBuf]| scene.refused_change(files, &key, &set);
    let [one, two, _] = &scene.handovers[..] else { unreachable!() };
    let few = refused(std::slice::from_ref(one));
    assert!(few.contains("files of 2 witnesses, and there are 1") && few.contains("network stop"), "{few}");
    assert!(refused(&[one.clone(), one.clone()]).contains("two files are of one witness"));
    assert!(refused(&[one.clone(), scene.operators.file("none")]).contains("could not read the hand-over"));
    // Damage anywhere: a byte, the end, another file altogether.
    let whole = fs::read(two).unwrap();
    let damaged = scene.operators.file("damaged.handover");
    let with = |bytes: &[u8]| {
        fs::write(&damaged, bytes).unwrap();
        let why = refused(&[one.clone(), damaged.clone()]);
        assert!(why.contains("damaged.handover is not taken"), "{why}");
        why
    };
    // Each byte takes a run of the program; some of each part are enough.
    for at in (0..whole.len()).step_by(11) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        let why = with(&bytes);
        assert!(why.contains("Export it again"), "byte {at}: {why}");
    }
    with(&whole[..whole.len() - 1]);
    with(&fs::read(&scene.network).unwrap());
    with(b"");
    File::create(&damaged).unwrap().set_len(HANDOVER_MAX_BYTES as u64 + 1).unwrap();
    let large = refused(&[one.clone(), damaged.clone()]);
    assert!(large.contains(&format!("more than {HANDOVER_MAX_BYTES} bytes")), "{large}");
    // Well signed, by one who is no witness of the set, of another set, or of another network.
    let known = Handover::decode(&whole).unwrap();
    let stranger = SecretKey::from_seed(&[9; 32]);
    let forged = Handover { witness: stranger.public(), ..known.clone() }.sign(&stranger);
    assert!(with(&forged).contains("of no witness of the set"));
    let witness = WITNESS_KEY.load(&scene.operators.data("old-1")).unwrap().unwrap();
    let later = Handover { set: 1, ..known.clone() }.sign(&witness);
    assert!(with(&later).contains("of set 1, and set 0 is succeeded"));
    assert!(with(&Handover { witness: stranger.public(), ..known }.sign(&witness)).contains("signature is wrong"));
    let other = Scene::new();
    assert!(refused(&[one.clone(), other.handovers[1].clone()]).contains("of another network"));
}

#[test]
fn sets_that_could_not_decide_or_have_old_keys_are_refused() {
    let scene = Scene::new();
    let key = scene.key(0);
    let refused = |set: &[&str]| scene.refused_change(&scene.handovers, &key, set);
    let good = flags(&scene.keys);
    assert!(refused(&[&good[..], &["--threshold", "1"]].concat()).contains("not more than half"));
    assert!(refused(&[&good[..], &["--threshold", "4"]].concat()).contains("more than all"));
    assert!(refused(&good[..10]).contains("one succession key for each witness"));
    assert!(refused(&[&good[..], &good[..4]].concat()).contains("is named twice"));
    assert!(refused(&[]).contains("name the witnesses of the new set"));
    let network = NetworkSource::File(scene.network.clone()).read().unwrap();
    let old = network.history().set();
    let (witness, succession) = (hex(old.witnesses[0].as_bytes()), old.succession[0].to_string());
    for keys in [
        ["--witness", &witness, "--succession", good[3]],
        ["--witness", good[1], "--succession", &succession],
        // A witness's key as a succession key.
        ["--witness", good[1], "--succession", &old.witnesses[1].digest().to_string()],
    ] {
        let why = refused(&keys);
        assert!(why.contains("was a key of an earlier set") && why.contains("network key"), "{why}");
    }
    let same = WITNESS_KEY.load(&scene.operators.data("new-0")).unwrap().unwrap().public().digest().to_string();
    assert!(refused(&["--witness", good[1], "--succession", &same]).contains("can't be a succession key as well"));
    let alone = scene.out("alone.json");
    printed(&["network", "found", "--name", "Alone", "--out", &alone]);
    let out = scene.out("refused.json");
    let mut arguments = scene.signing("change", &scene.handovers, &key, &out);
    arguments[3] = &alone;
    assert!(crate::support::server::refused(&[arguments, good].concat()).contains("has no witnesses"));
}

#[test]
fn keys_that_may_not_sign_are_refused() {
    let scene = Scene::new();
    let set = flags(&scene.keys);
    let refused = |key: &str| scene.refused_change(&scene.handovers, key, &set);
    assert!(refused(text(&scene.operators.succession_key("new-0"))).contains("none of the succession keys"));
    let witness = WITNESS_KEY.path(&scene.operators.data("old-0"));
    assert!(refused(text(&witness)).contains("another kind of key"));
    assert!(refused(text(&scene.operators.file("none"))).contains("could not read the key"));
    let damaged = scene.operators.file("damaged.key");
    let mut bytes = fs::read(scene.key(0)).unwrap();
    bytes[40] ^= 1;
    fs::write(&damaged, &bytes).unwrap();
    assert!(refused(text(&damaged)).contains("is damaged"));
    fs::write(&damaged, vec![0; 100_000]).unwrap();
    assert!(refused(text(&damaged)).contains("is damaged"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for key in [scene.operators.succession_key("new-0"), witness] {
            assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}

/// Nobody signs for what another operator left out, nor a change of another past.
#[test]
fn changes_that_do_not_close_what_was_handed_over_are_not_signed() {
    let scene = Scene::new();
    let first = scene.changed();
    let network = NetworkSource::File(scene.network.clone()).read().unwrap();
    let topic = network.topic;
    let (key, out) = (scene.key(1), scene.out("refused.json"));
    let sign = scene.signing("sign", &scene.handovers[..2], &key, &out);
    let file = scene.operators.file("change.json");
    let refused_file = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let why = refused(&[&sign[..], &[text(&file)]].concat());
        assert!(fs::metadata(&out).is_err(), "{why}");
        why
    };
    let text_of = |topic: String, bytes: &[u8]| format!(r#"{{"topic":"{topic}","setChange":"{}"}}"#, hex(bytes));
    let refused_change = |change: SetChange| {
        let succession = SUCCESSION_KEY.read(scene.key(0).as_ref()).unwrap();
        let bytes = SignedSetChange::sign(&topic, change, &succession).encode();
        refused_file(text_of(topic.into(), &bytes).as_bytes())
    };
    let whole = fs::read(&first).unwrap();
    let change: serde_json::Value = serde_json::from_slice(&whole).unwrap();
    let bytes = gen_registry_core::digest::unhex(change["setChange"].as_str().unwrap()).unwrap();
    let good = SignedSetChange::decode(&topic, &bytes).unwrap().change().clone();
    let closing = Closing::of(&FactList::new([Digest::of(b"a name that nobody confirmed")]));
    let other = refused_change(SetChange { closing, ..good.clone() });
    assert!(other.contains("closes something else than these files show"), "{other}");
    let ahead = refused_change(SetChange { number: 2, ..good.clone() });
    assert!(ahead.contains("number 2") && ahead.contains("knows the changes between"), "{ahead}");
    assert!(refused_change(SetChange { before: Digest::of(b"other"), ..good.clone() }).contains("another past"));
    let old = network.history().set();
    let reused = WitnessSet::new(old.witnesses.clone(), 2, good.set.succession.clone());
    assert!(refused_change(SetChange { set: reused, ..good }).contains("was a key of an earlier set"));
    // The file itself.
    assert!(refused_file(b"{}").contains("is no change of the witnesses"));
    assert!(refused_file(&fs::read(&scene.network).unwrap()).contains("is no change of the witnesses"));
    assert!(refused_file(&whole[..whole.len() / 2]).contains("is no change of the witnesses"));
    let mut long = whole;
    long.resize(CHANGE_FILE_MAX_BYTES as usize + 1, b' ');
    assert!(refused_file(&long).contains(&format!("more than {CHANGE_FILE_MAX_BYTES} bytes")));
    let elsewhere = Digest::of(b"elsewhere").to_string();
    assert!(refused_file(text_of(elsewhere, &bytes).as_bytes()).contains("of another network"));
    let mut forged = bytes;
    *forged.last_mut().unwrap() ^= 1;
    assert!(refused_file(text_of(topic.into(), &forged).as_bytes()).contains("a signature is not that key's"));
    // As it was, it is signed.
    long.truncate(CHANGE_FILE_MAX_BYTES as usize);
    fs::write(&file, &long).unwrap();
    printed(&[&sign[..], &[text(&file)]].concat());
    // Signatures over different changes are not joined.
    let (third, another) = (scene.key(2), scene.out("another.json"));
    let set = [&flags(&scene.keys)[..], &["--threshold", "3"]].concat();
    printed(&[scene.signing("change", &scene.handovers[..2], &third, &another), set].concat());
    let apply = ["network", "apply", &first, &another, "--network", text(&scene.network), "--out"];
    assert!(refused(&[&apply[..], &[&scene.out("x.json")]].concat()).contains("over different changes"));
}

#[test]
fn folders_without_a_witness_are_not_stopped() {
    let operators = Operators::new();
    let network = operators.found();
    let out = operators.file("out.handover");
    let stop = |data: &str| refused(&["network", "stop", "--data", data, "--out", text(&out)]);
    let data = operators.data("old-0");
    assert!(stop(text(&data)).contains("has no network.json"));
    operators.joined("old-0", &network);
    let book = data.join(BOOK_FILE);
    fs::rename(&book, data.join("elsewhere")).unwrap();
    assert!(stop(text(&data)).contains("its book") && !book.exists());
    fs::rename(data.join("elsewhere"), &book).unwrap();
    let empty = operators.file("empty");
    fs::create_dir(&empty).unwrap();
    fs::copy(&network, empty.join(NETWORK_FILE)).unwrap();
    assert!(stop(text(&empty)).contains("has no witness's key"));
    // While the server runs its book is in use, and the witness goes on.
    let server = operators.serve("old-0", &network, &[]);
    assert!(stop(text(&data)).contains("in use by another program"));
    assert!(!out.exists() && server.raw("/health").contains(r#""witness":"running""#));
    drop(server);
    operators.stopped("old-0");
    // And again, should the file have been lost.
    let again = operators.file("again.handover");
    printed(&["network", "stop", "--data", text(&data), "--out", text(&again)]);
    assert_eq!(fs::read(&again).unwrap(), fs::read(operators.file("old-0.handover")).unwrap());
}

#[test]
fn witness_of_a_new_set_begins_only_with_what_was_handed_over() {
    let scene = Scene::new();
    let (first, key, second) = (scene.changed(), scene.key(1), scene.out("change-2.json"));
    printed(&[&scene.signing("sign", &scene.handovers[..2], &key, &second)[..], &[&first]].concat());
    let changed = scene.out("changed.json");
    printed(&["network", "apply", &second, "--network", text(&scene.network), "--out", &changed]);
    let data = scene.operators.data("new-0");
    let book = fs::read(data.join(BOOK_FILE)).unwrap();
    let refused_start = |network: &str, handovers: &[PathBuf]| {
        let named: Vec<&str> = handovers.iter().flat_map(|file| ["--handover", text(file)]).collect();
        let more = [&["--network", network][..], &named].concat();
        let why = refused(&scene.operators.serve_flags(&data, &more));
        assert_eq!(fs::read(data.join(BOOK_FILE)).unwrap(), book, "{why}");
        why
    };
    let none = refused_start(&changed, &[]);
    assert!(none.contains("of set 1") && none.contains("--handover") && none.contains("at least 2"), "{none}");
    assert!(refused_start(&changed, &scene.handovers[..1]).contains("files of 2 witnesses, and there are 1"));
    let twice = [scene.handovers[0].clone(), scene.handovers[0].clone()];
    assert!(refused_start(&changed, &twice).contains("two files are of one witness"));
    // A key that the old network does not know: the server would run, and no witness in it.
    fs::remove_file(data.join(NETWORK_FILE)).unwrap();
    assert!(refused_start(text(&scene.network), &scene.handovers).contains("network apply"));
    fs::remove_file(data.join(NETWORK_FILE)).unwrap();
    // What broke off at an earlier start is in nobody's way.
    fs::write(data.join("witness.db.new"), "half").unwrap();
    let files: Vec<&str> = scene.handovers[..2].iter().flat_map(|file| ["--handover", text(file)]).collect();
    let server = scene.operators.serve("new-0", changed.as_ref(), &files);
    assert!(server.raw("/health").contains(r#""witness":"running""#));
    drop(server);
    assert!(!data.join("witness.db.new").exists());
    let server = scene.operators.serve("new-0", changed.as_ref(), &[]);
    assert!(server.raw("/health").contains(r#""witness":"running""#), "it has begun");
    drop(server);
    // A witness of the set before runs in no server that knows the change, with or without the files.
    for more in [&[][..], &files] {
        let server = scene.operators.serve("old-0", changed.as_ref(), more);
        assert!(!server.raw("/health").contains(r#""witness":"running""#));
    }
}
