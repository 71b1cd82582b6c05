//! Every transition of a stream, both sides of every limit, and the bytes as they travel.

use gen_registry_core::limits::UNREAD_OF_CONNECTION_MAX_BYTES;

use super::*;

/// Moves all that `from` has to send.
fn deliver(from: &mut Framing, to: &mut Framing) -> Result<(), FrameError> {
    while let Some(frame) = from.next_outgoing() {
        assert!(frame.len() <= FRAME_MAX_BYTES);
        to.receive(&frame)?;
    }
    Ok(())
}

fn pair() -> (Framing, Framing) {
    (Framing::default(), Framing::default())
}

fn read_all(framing: &mut Framing) -> (Vec<u8>, Read) {
    let mut all = Vec::new();
    let mut buffer = [0; 5000];
    loop {
        match framing.read(&mut buffer) {
            Read::Bytes(length) => all.extend_from_slice(&buffer[..length]),
            other => return (all, other),
        }
    }
}

fn flag(flag: u64) -> Vec<u8> {
    Envelope { kind: Some(flag), data: None }.encode()
}

fn data(data: &[u8]) -> Vec<u8> {
    Envelope { kind: None, data: Some(data.to_vec()) }.encode()
}

#[test]
fn frames_have_the_encoding_of_the_specification() {
    let mut framing = Framing::default();
    assert_eq!(framing.write(b"hi"), Ok(2));
    framing.stop_reading();
    framing.end_writing();
    let sent: Vec<_> = std::iter::from_fn(|| framing.next_outgoing()).collect();
    assert_eq!(sent, [vec![4, 0x12, 2, b'h', b'i'], vec![2, 0x08, 1], vec![2, 0x08, 0]]);
    let mut framing = Framing::default();
    framing.receive(&flag(FIN)).expect("within the rules");
    assert_eq!(framing.next_outgoing(), Some(vec![2, 0x08, 3]));
    framing.reset();
    assert_eq!(framing.next_outgoing(), Some(vec![2, 0x08, 2]));
}

#[test]
fn each_direction_ends_independently() {
    let (mut alice, mut bob) = pair();
    alice.write(b"question").expect("within the rules");
    alice.end_writing();
    assert_eq!(alice.write(b"more"), Err(WriteOver(Writing::Ended)));
    deliver(&mut alice, &mut bob).expect("within the rules");
    assert_eq!(read_all(&mut bob), (b"question".to_vec(), Read::End));
    deliver(&mut bob, &mut alice).expect("within the rules");
    assert_eq!(alice.writing(), Writing::Acknowledged);
    assert!(!alice.is_over() && !bob.is_over());
    assert_eq!(read_all(&mut alice), (vec![], Read::Pending));
    bob.write(b"answer").expect("within the rules");
    bob.end_writing();
    deliver(&mut bob, &mut alice).expect("within the rules");
    assert!(alice.is_over() && !bob.is_over());
    deliver(&mut alice, &mut bob).expect("within the rules");
    assert!(bob.is_over());
    assert_eq!(read_all(&mut alice), (b"answer".to_vec(), Read::End));
}

#[test]
fn stopping_to_read_notifies_the_writer() {
    let (mut alice, mut bob) = pair();
    bob.write(b"unread").expect("within the rules");
    deliver(&mut bob, &mut alice).expect("within the rules");
    alice.stop_reading();
    assert_eq!((alice.unread(), alice.read(&mut [0; 9])), (0, Read::End));
    bob.write(b"on the way").expect("within the rules");
    let on_the_way = bob.next_outgoing().expect("within the rules");
    deliver(&mut alice, &mut bob).expect("within the rules");
    assert_eq!(bob.write(b"more"), Err(WriteOver(Writing::Stopped)));
    alice.receive(&on_the_way).expect("within the rules");
    assert_eq!(alice.unread(), 0);
    bob.end_writing();
    assert!(!bob.has_outgoing(), "a stopped side says nothing more");
    // The other direction is not touched.
    alice.write(b"still").expect("within the rules");
    deliver(&mut alice, &mut bob).expect("within the rules");
    assert_eq!(read_all(&mut bob).0, b"still");
}

#[test]
fn peer_may_stop_reading_after_the_end() {
    let (mut alice, mut bob) = pair();
    bob.end_writing();
    alice.stop_reading();
    deliver(&mut alice, &mut bob).expect("within the rules");
    deliver(&mut bob, &mut alice).expect("within the rules");
    assert_eq!((bob.writing(), alice.reading()), (Writing::Stopped, ReadState::Ended));
    deliver(&mut alice, &mut bob).expect("within the rules");
    bob.receive(&flag(STOP_SENDING)).expect("within the rules");
    assert_eq!(bob.writing(), Writing::Stopped);
}

#[test]
fn a_reset_ends_both_directions_and_is_not_answered() {
    let (mut alice, mut bob) = pair();
    alice.write(b"lost").expect("within the rules");
    deliver(&mut alice, &mut bob).expect("within the rules");
    alice.write(b"never sent").expect("within the rules");
    alice.reset();
    alice.reset();
    assert!(alice.is_over());
    assert_eq!(alice.next_outgoing(), Some(flag(RESET)));
    assert_eq!(alice.next_outgoing(), None);
    bob.receive(&flag(RESET)).expect("within the rules");
    assert_eq!((bob.read(&mut [0; 9]), bob.write(b"x")), (Read::Reset, Err(WriteOver(Writing::Reset))));
    assert!(bob.is_over() && !bob.has_outgoing());
    bob.receive(&[0xff; 30]).expect("within the rules");
    bob.end_writing();
    bob.stop_reading();
    assert!(!bob.has_outgoing());
}

#[test]
fn lost_channel_resets_directions_that_had_not_ended() {
    let mut framing = Framing::default();
    framing.lose_channel();
    assert_eq!((framing.reading(), framing.writing()), (ReadState::Reset, Writing::Reset));
    let mut framing = Framing::default();
    framing.receive(&data(b"last words")).expect("within the rules");
    framing.receive(&flag(FIN)).expect("within the rules");
    framing.end_writing();
    framing.lose_channel();
    assert_eq!(framing.writing(), Writing::Stopped);
    assert!(framing.is_over() && !framing.has_outgoing());
    assert_eq!(read_all(&mut framing), (b"last words".to_vec(), Read::End));
}

#[test]
fn each_violation_has_its_own_error_and_resets() {
    for (frames, error) in [
        (vec![vec![2, 0x0a, 0]], FrameError::Malformed(EnvelopeError::WrongType(1))),
        (vec![vec![1, 0x08]], FrameError::Malformed(EnvelopeError::CutShort)),
        (vec![vec![0xff; 10]], FrameError::Malformed(EnvelopeError::BadVarint)),
        (vec![flag(4)], FrameError::UnknownFlag(4)),
        (vec![flag(FIN), data(b"x")], FrameError::DataAfterEnd),
        (vec![flag(FIN_ACK)], FrameError::UnaskedAcknowledgement),
        (vec![vec![0; FRAME_MAX_BYTES + 1]], FrameError::Oversized),
    ] {
        let mut framing = Framing::default();
        let mut outcome = Ok(());
        for frame in frames {
            outcome = framing.receive(&frame);
        }
        assert_eq!(outcome, Err(error));
        assert_eq!(framing.reading(), ReadState::Reset);
        assert_eq!(std::iter::from_fn(|| framing.next_outgoing()).last(), Some(flag(RESET)));
    }
}

#[test]
fn frame_size_limit_is_inclusive() {
    let mut framing = Framing::default();
    assert_eq!(framing.write(&[7; FRAME_MAX_BYTES]), Ok(DATA_MAX_BYTES));
    let largest = framing.next_outgoing().expect("within the rules");
    assert_eq!(largest.len(), FRAME_MAX_BYTES);
    let mut other = Framing::default();
    assert_eq!(other.receive(&largest), Ok(()));
    assert_eq!(other.unread(), DATA_MAX_BYTES);
    // Its length alone is enough.
    let larger = data(&[7; DATA_MAX_BYTES + 1]);
    assert_eq!(other.receive(&larger[..3]), Err(FrameError::Oversized));
}

#[test]
fn unread_data_is_bounded() {
    let mut framing = Framing::default();
    let frame = data(&[1; 16_000]);
    for _ in 0..INBOUND_MAX_BYTES / 16_000 {
        framing.receive(&frame).expect("within the rules");
    }
    let room = INBOUND_MAX_BYTES - framing.unread();
    framing.receive(&data(&vec![1; room])).expect("within the rules");
    assert_eq!(framing.unread(), INBOUND_MAX_BYTES);
    framing.receive(&flag(STOP_SENDING)).expect("within the rules");
    assert_eq!(framing.receive(&data(b"1")), Err(FrameError::TooMuchUnread));
    assert_eq!(framing.unread(), 0);
}

#[test]
fn reading_makes_room() {
    let mut framing = Framing::default();
    let frame = data(&[1; 16_000]);
    for _ in 0..3 * INBOUND_MAX_BYTES / 16_000 {
        framing.receive(&frame).expect("within the rules");
        assert_eq!(read_all(&mut framing).0.len(), 16_000);
    }
}

/// Many streams, each within its own bound, must not hold more than their connection may.
#[test]
fn unread_data_of_all_streams_together_is_bounded() {
    let total = UnreadTotal::default();
    let piece = data(&[1; 16_000]);
    let mut streams: Vec<Framing> = Vec::new();
    let refused = 'full: loop {
        assert!(streams.len() <= UNREAD_OF_CONNECTION_MAX_BYTES / INBOUND_MAX_BYTES * 2, "no bound was reached");
        let mut stream = Framing::new(total.part());
        for _ in 0..INBOUND_MAX_BYTES / 16_000 {
            if let Err(error) = stream.receive(&piece) {
                break 'full error;
            }
        }
        streams.push(stream);
    };
    assert_eq!(refused, FrameError::Connection(TooMuchUnread));
    assert!(streams.len() >= UNREAD_OF_CONNECTION_MAX_BYTES / INBOUND_MAX_BYTES, "each stream may reach its bound");
    let held = |streams: &[Framing]| streams.iter().map(Framing::unread).sum::<usize>();
    assert_eq!(total.bytes(), held(&streams), "the refused stream holds nothing");
    // What is read, stopped, reset, lost with its channel or dropped is given back.
    let (first, rest) = streams.split_first_mut().expect("several streams");
    read_all(first);
    rest[0].stop_reading();
    rest[1].reset();
    rest[2].lose_channel();
    assert_eq!(total.bytes(), held(&streams));
    assert_eq!(streams[0].receive(&piece), Ok(()), "there is room again");
    drop(streams);
    assert_eq!(total.bytes(), 0);
}

/// A frame that never ends is memory, too.
#[test]
fn beginnings_of_frames_count_as_unread() {
    let total = UnreadTotal::default();
    let frame = data(&[1; 16_000]);
    let (beginning, end) = frame.split_at(frame.len() - 1);
    let count = UNREAD_OF_CONNECTION_MAX_BYTES / beginning.len();
    let mut streams: Vec<Framing> = (0..=count).map(|_| Framing::new(total.part())).collect();
    let (last, first) = streams.split_last_mut().expect("streams");
    first.iter_mut().for_each(|stream| stream.receive(beginning).expect("room"));
    assert_eq!(last.receive(beginning), Err(FrameError::Connection(TooMuchUnread)));
    first[0].receive(end).expect("room for one byte more");
    assert_eq!((read_all(&mut first[0]).0.len(), total.bytes()), (16_000, beginning.len() * (count - 1)));
}

#[test]
fn messages_may_hold_several_or_partial_frames() {
    let mut framing = Framing::default();
    framing.receive(&[data(b"one "), data(b"two")].concat()).expect("within the rules");
    let last = Envelope { kind: Some(FIN), data: Some(b" three".to_vec()) }.encode();
    framing.receive(&last[..4]).expect("within the rules");
    framing.receive(&last[4..]).expect("within the rules");
    assert_eq!(read_all(&mut framing), (b"one two three".to_vec(), Read::End));
}

#[test]
fn repeated_end_is_acknowledged_once() {
    let mut framing = Framing::default();
    framing.receive(&flag(FIN)).expect("within the rules");
    framing.receive(&flag(FIN)).expect("within the rules");
    assert_eq!(framing.next_outgoing(), Some(flag(FIN_ACK)));
    assert_eq!(framing.next_outgoing(), None);
}

#[test]
fn an_end_after_stopping_is_acknowledged_too() {
    let mut framing = Framing::default();
    framing.stop_reading();
    framing.next_outgoing();
    framing.receive(&[data(b"thrown away"), flag(FIN)].concat()).expect("within the rules");
    assert_eq!((framing.next_outgoing(), framing.unread()), (Some(flag(FIN_ACK)), 0));
}
