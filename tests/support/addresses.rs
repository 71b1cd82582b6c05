//! Clients of several addresses on one machine: ways to a server on which one seems to come from elsewhere.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// An address of this machine that no other client uses: all of 127.0.0.0/8 is its own.
pub fn local(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 7, last).into()
}

/// Connects from this address.
pub async fn connect_from(source: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(to).await
}

/// The address of a way to this relay. Whoever takes it comes from `source`. It ends with the test.
pub async fn door(relay: &Multiaddr, source: IpAddr) -> Multiaddr {
    proxy(relay, source, None).await
}

/// The same, over a proxy that says who its client is.
pub async fn proxy(relay: &Multiaddr, source: IpAddr, client: Option<&'static str>) -> Multiaddr {
    let port = relay.iter().find_map(|part| match part {
        Protocol::Tcp(port) => Some(port),
        _ => None,
    });
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut far) = connect_from(source, target).await else { return };
                if let Some(client) = client {
                    let mut first = [0; 4];
                    near.read_exact(&mut first).await.unwrap();
                    assert_eq!(&first, b"GET ");
                    // The rest of the request line comes first.
                    far.write_all(&first).await.unwrap();
                    let line = read_line(&mut near).await;
                    far.write_all(&line).await.unwrap();
                    far.write_all(format!("X-Forwarded-For: {client}\r\n").as_bytes()).await.unwrap();
                }
                let _ = copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    let change = |part| if matches!(part, Protocol::Tcp(_)) { Protocol::Tcp(own) } else { part };
    relay.iter().map(change).collect()
}

/// Reads up to the end of a line, and no further.
async fn read_line(stream: &mut TcpStream) -> Vec<u8> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.unwrap());
    }
    line
}
