// A peer of another make for the browser's tests: js-libp2p, in the same page, over the same relay.

import { createLibp2p } from "libp2p";
import { circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import { identify } from "@libp2p/identify";
import { webRTC } from "@libp2p/webrtc";
import { webSockets } from "@libp2p/websockets";
import { multiaddr } from "@multiformats/multiaddr";
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";

const ECHO = "/test/echo/1";

/// With a place at the relay, so that others can dial it; answers streams of ECHO.
export async function start(relay) {
  const node = await createLibp2p({
    addresses: { listen: [`${relay}/p2p-circuit`, "/webrtc"] },
    transports: [webSockets(), webRTC({ rtcConfiguration: { iceServers: [] } }), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // By itself it dials no address of this machine.
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify() },
  });
  await node.handle(ECHO, async (stream) => {
    for await (const bytes of stream) if (!stream.send(bytes)) await stream.onDrain();
    await stream.close();
  });
  const direct = () => node.getMultiaddrs().some((address) => address.toString().includes("/webrtc"));
  while (!direct()) await new Promise((done) => node.addEventListener("self:peer:update", done, { once: true }));
  return node;
}

export const name = (node) => node.peerId.toString();

/// Dials and says it; returns what comes back.
export async function exchange(node, address, text) {
  const stream = await node.dialProtocol(multiaddr(address), ECHO);
  const heard = [];
  const hear = (async () => {
    for await (const bytes of stream) heard.push(bytes.slice());
  })();
  stream.send(new TextEncoder().encode(text));
  await stream.close();
  await hear;
  return new TextDecoder().decode(await new Blob(heard).arrayBuffer());
}

/// The other side's direct connections, as this peer sees them.
export const direct = (node, peer) =>
  node.getConnections().filter((one) => one.remotePeer.toString() === peer && one.limits === undefined).length;

export const stop = (node) => node.stop();
