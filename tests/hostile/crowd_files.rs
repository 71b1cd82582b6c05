//! The files of a crowd: `hostile-peer make-crowd TOPIC COUNT FOLDER` writes them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

use gen_registry_core::actors::Device;
use gen_registry_core::identity::Topic;

use crate::crowd::NAMED_BYTES;

/// Threads that make identities.
const MAKERS: usize = 2;
/// Identities that are made in one go.
const MADE_AT_ONCE: usize = 256;
const NAMES: &str = "names";
const ENTRIES: &str = "entries";

/// The 64 bytes of each of these.
pub(crate) async fn crowd_bytes(folder: &str, from: usize, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count * NAMED_BYTES];
    let file = File::open(Path::new(folder).join(NAMES)).expect("a crowd");
    file.read_exact_at(&mut bytes, (from * NAMED_BYTES) as u64).expect("the crowd is as large");
    bytes
}

/// The entry of each of these.
pub(crate) async fn crowd_entries(folder: &str, numbers: &[usize]) -> Vec<Vec<u8>> {
    let place = Path::new(folder);
    let length = |name: &str| std::fs::metadata(place.join(name)).expect("a crowd").len() as usize;
    let length = length(ENTRIES) / (length(NAMES) / NAMED_BYTES);
    let file = File::open(place.join(ENTRIES)).expect("a crowd");
    let entry = |number: &usize| {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, (number * length) as u64).expect("the crowd is as large");
        bytes
    };
    numbers.iter().map(entry).collect()
}

/// Makes a crowd of this network.
pub(crate) fn make(topic: Topic, count: usize, folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let write = |name: &str| File::create(folder.join(name)).map(BufWriter::new);
    let (mut names, mut entries) = (write(NAMES)?, write(ENTRIES)?);
    let (made, arriving) = sync_channel::<(Vec<u8>, Vec<u8>)>(2 * MAKERS);
    let mut length = None;
    thread::scope(|scope| {
        for maker in 0..MAKERS {
            let made = made.clone();
            scope.spawn(move || {
                let firsts = (maker * MADE_AT_ONCE..count).step_by(MAKERS * MADE_AT_ONCE);
                for first in firsts {
                    if made.send(some(topic, first..count.min(first + MADE_AT_ONCE))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(made);
        for (named, opened) in arriving {
            let of_one = opened.len() / (named.len() / NAMED_BYTES);
            assert_eq!(*length.get_or_insert(of_one), of_one, "entries of one length");
            names.write_all(&named)?;
            entries.write_all(&opened)?;
        }
        names.flush()?;
        entries.flush()
    })
}

fn some(topic: Topic, numbers: std::ops::Range<usize>) -> (Vec<u8>, Vec<u8>) {
    let (mut named, mut opened) = (Vec::new(), Vec::new());
    for number in numbers {
        let device = Device::of(topic, &format!("crowd {number}"));
        named.extend_from_slice(device.did.digest().as_bytes());
        named.extend_from_slice(device.log().opening.as_bytes());
        opened.extend_from_slice(&device.opening.encode());
    }
    (named, opened)
}
