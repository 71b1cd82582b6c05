//! A request and its answer, and every way in which one of them is refused.

use super::*;
use crate::keys::Master;
use crate::log::Capabilities;
use crate::statement::{DeviceAdd, SignedStatement, Statement};

fn topic() -> Topic {
    Topic::from_bytes([7; 32])
}

fn granted(device: &SecretKey) -> Opening {
    let master = Master::from_entropy([1; 32]);
    let inception = master.inception();
    let add = DeviceAdd {
        number: 3,
        device: device.public(),
        sealing_key: device.sealing_key(),
        capabilities: Capabilities::full(),
        list_key: None,
    };
    let key = master.identity_key(0);
    let add = SignedStatement::sign(&topic(), inception.did(&topic()), &key, Statement::DeviceAdd(add));
    Opening::new(&topic(), inception, Vec::new(), add).unwrap()
}

#[test]
fn request_and_answer_are_read_as_they_were_written_also_when_pasted_in_lines() {
    let device = SecretKey::from_seed(&[5; 32]);
    let text = DeviceRequest::sign(&topic(), &device);
    let broken = format!("  {}\r\n{} ", &text[..60], &text[60..]);
    for text in [&text, &broken] {
        let request = DeviceRequest::verify(&topic(), text).unwrap();
        assert_eq!(request, DeviceRequest { device: device.public(), sealing_key: device.sealing_key() });
    }
    let opening = granted(&device);
    assert_eq!(read_grant(&topic(), &grant_text(&topic(), &opening)), Ok(opening));
}

#[test]
fn what_is_no_request_says_why() {
    let device = SecretKey::from_seed(&[5; 32]);
    let text = DeviceRequest::sign(&topic(), &device);
    let refused = |text: &str| DeviceRequest::verify(&topic(), text).unwrap_err();
    assert_eq!(refused("hello"), DeviceTextError::OtherText("gen-device:"));
    assert_eq!(refused(&grant_text(&topic(), &granted(&device))), DeviceTextError::OtherText("gen-device:"));
    assert_eq!(refused(&text[..text.len() - 1]), DeviceTextError::Damaged);
    assert_eq!(refused(&"gen-device:A".repeat(TEXT_MAX_BYTES)), DeviceTextError::Damaged);
    let elsewhere = DeviceRequest::sign(&Topic::from_bytes([8; 32]), &device);
    assert_eq!(refused(&elsewhere), DeviceTextError::OtherNetwork);
    // Somebody else's key, signed with one's own.
    let other = SecretKey::from_seed(&[6; 32]);
    let content = DeviceRequest { device: device.public(), sealing_key: device.sealing_key() }.encode();
    let signature = other.sign(&topic(), REQUEST_DOMAIN, &content);
    let bytes = Encoder::new().fixed(topic().as_bytes()).bytes(signature.as_bytes()).bytes(&content).finish();
    assert_eq!(refused(&to_text(REQUEST_PREFIX, &bytes)), DeviceTextError::Forged);
}

#[test]
fn what_is_no_answer_says_why() {
    let device = SecretKey::from_seed(&[5; 32]);
    let text = grant_text(&topic(), &granted(&device));
    let refused = |text: &str| read_grant(&topic(), text).unwrap_err();
    assert_eq!(refused(&DeviceRequest::sign(&topic(), &device)), DeviceTextError::OtherText("gen-added:"));
    assert_eq!(refused(&text[..text.len() - 3]), DeviceTextError::Damaged);
    let elsewhere = grant_text(&Topic::from_bytes([8; 32]), &granted(&device));
    assert_eq!(refused(&elsewhere), DeviceTextError::OtherNetwork);
    let mut opening = granted(&device).encode();
    *opening.last_mut().unwrap() ^= 1;
    let forged = to_text(GRANT_PREFIX, &Encoder::new().fixed(topic().as_bytes()).bytes(&opening).finish());
    assert!(matches!(refused(&forged), DeviceTextError::Opening(_)));
}
