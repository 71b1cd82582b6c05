//! What a hostile peer answers when it is asked: proofs that prove nothing, and pictures of billions of pixels.

use futures::{AsyncReadExt, AsyncWriteExt, SinkExt, StreamExt};
use gen_registry_core::digest::{Digest, cid_of};
use gen_registry_core::document::Edit;
use gen_registry_core::name::ModuleName;
use gen_registry_core::sync::blocks::wire as blocks;
use gen_registry_core::sync::search::{self, Answer, Found, UnverifiedText};
use libp2p::Stream;

use crate::floods::{MODULE, change, offer_all, people, say_words};
use crate::peer::{Mallory, framed};
use crate::run_beside;

/// The protocol of questions for names.
const FIND: &str = "/gen/find/1";
/// Bytes of a proof that proves nothing: as long as most are.
const PROOF_BYTES: usize = 2_000;
/// With this byte the newest form of a proof begins.
const PROOF_VERSION: u8 = 2;
/// Pixels on each side of a picture that nobody should decode: 2.3 GB.
const HUGE: u16 = 24_000;
/// Of one that anybody may.
const SMALL: u16 = 64;
/// More bytes than any question has.
const QUESTION_MAX_BYTES: u64 = 16 * 1024;

/// Answers every search and every question for a name with a forged proof, for as long as the program runs.
pub async fn answer_with_forged_proofs(mallory: &mut Mallory) {
    let talk = mallory.greeted().await;
    for protocol in [FIND, search::PROTOCOL] {
        let mut questions = mallory.accept(protocol);
        run_beside(async move {
            let mut number = 0;
            while let Some((_, stream)) = questions.next().await {
                number += 1;
                let proof = forged_proof(number);
                let bytes = if protocol == FIND { proof } else { forged_answer(proof) };
                run_beside(answer(stream, bytes));
            }
        });
    }
    // The sync stream stays open, so that the victim keeps the connection.
    run_beside(async move {
        talk.say_until_cut(std::iter::empty()).await;
    });
}

/// Reads the question and says this.
async fn answer(mut stream: Stream, bytes: Vec<u8>) {
    let mut question = Vec::new();
    if (&mut stream).take(QUESTION_MAX_BYTES).read_to_end(&mut question).await.is_ok() {
        stream.write_all(&bytes).await.ok();
        stream.close().await.ok();
    }
}

/// Other bytes for each number, of which the first is right.
fn forged_proof(number: u64) -> Vec<u8> {
    let parts = (0_u64..).flat_map(|part| *Digest::of(&[number.to_be_bytes(), part.to_be_bytes()].concat()).as_bytes());
    std::iter::once(PROOF_VERSION).chain(parts).take(PROOF_BYTES).collect()
}

/// Two modules that the question would find: one that there is, and one that there is not.
fn forged_answer(proof: Vec<u8>) -> Vec<u8> {
    let mut answer = Answer::default();
    for name in [MODULE.to_owned(), format!("{MODULE}-pro")] {
        let name: ModuleName = name.parse().expect("a module");
        let text = UnverifiedText { title: "The real one".to_owned(), ..UnverifiedText::default() };
        assert!(answer.push(Found { name, proof: proof.clone(), text }), "there is room for two");
    }
    answer.encode()
}

/// A still GIF of as many pixels on each side, of which one is drawn.
fn gif(side: u16) -> Vec<u8> {
    let [low, high] = side.to_le_bytes();
    let screen = [b"GIF89a".as_slice(), &[low, high, low, high, 0x80, 0, 0], &[0, 0, 0, 255, 255, 255]].concat();
    let image = [0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0];
    [&screen[..], &image, &[0x3b]].concat()
}

/// People with pictures, every second of which is huge, call in the channel, and hand out the pictures for as long as the
/// program runs. How many the victim took.
pub async fn show_pictures(mallory: &mut Mallory, count: usize) -> usize {
    let pictures = [SMALL, HUGE].map(gif);
    let cids = pictures.each_ref().map(|picture| cid_of(&Digest::of(picture)));
    let mut wants = mallory.accept(blocks::PROTOCOL);
    run_beside(async move {
        while let Some((_, stream)) = wants.next().await {
            run_beside(hand_out(stream, pictures.clone()));
        }
    });
    let mut number = 0;
    let crowd: Vec<_> = people(mallory, count, |_| Vec::new()).collect();
    let crowd = crowd.into_iter().map(move |(device, _)| {
        let looks = [Edit::DisplayName(Some(format!("picture {number}"))), Edit::Avatar(Some(cids[number % 2]))];
        number += 1;
        let change = change(&device, &looks);
        (device, vec![change])
    });
    let taken = offer_all(mallory, crowd).await;
    say_words(mallory, count, |number| (number.to_string(), format!("look at picture {number}"))).await;
    taken
}

/// Answers wants on one stream of blocks.
async fn hand_out(stream: Stream, pictures: [Vec<u8>; 2]) {
    let mut frames = framed(stream);
    while let Some(Ok(bytes)) = frames.next().await {
        let Ok(blocks::Message::Want(wanted)) = blocks::Message::decode(&bytes) else { continue };
        for block in wanted {
            let picture = pictures.iter().find(|picture| Digest::of(picture) == block);
            let message = match picture {
                Some(bytes) => blocks::Message::Block { block, bytes: bytes.clone() },
                None => blocks::Message::Missing(block),
            };
            if frames.send(message.encode().into()).await.is_err() {
                return;
            }
        }
    }
}
