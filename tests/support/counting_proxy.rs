//! Counts HTTP requests on the wire, between a client and the server it forwards to.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A port of this machine that leads to another one; it serves as long as the tests run.
pub struct CountingProxy {
    pub endpoint: String,
    requests: Arc<AtomicUsize>,
}

impl CountingProxy {
    /// Starts to forward to an endpoint such as `http://127.0.0.1:5000`.
    pub fn start(endpoint: &str) -> CountingProxy {
        let server = endpoint.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of this machine");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let upstream = TcpStream::connect(&server).expect("the server answers");
                forward(client, upstream, Arc::clone(&counter));
            }
        });
        CountingProxy { endpoint: format!("http://{address}"), requests }
    }

    /// Requests seen since this was last asked.
    pub fn take_count(&self) -> usize {
        self.requests.swap(0, Ordering::SeqCst)
    }
}

/// Each direction of a connection has its thread; they end with the connection.
fn forward(client: TcpStream, upstream: TcpStream, counter: Arc<AtomicUsize>) {
    for stream in [&client, &upstream] {
        stream.set_nodelay(true).expect("an open connection");
    }
    let mut answers = upstream.try_clone().expect("a second handle");
    let mut back = client.try_clone().expect("a second handle");
    thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let mut upstream = upstream;
        let mut client = BufReader::new(client);
        while let Some(request) = read_request(&mut client) {
            counter.fetch_add(1, Ordering::SeqCst);
            if upstream.write_all(&request).is_err() {
                break;
            }
        }
        let _ = upstream.shutdown(Shutdown::Both);
    });
}

/// One whole request: its lines up to the empty one, and as many bytes as they announce.
fn read_request(client: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut length = 0;
    loop {
        let start = request.len();
        if client.read_until(b'\n', &mut request).ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&request[start..]).to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        assert!(!line.starts_with("transfer-encoding:"), "the SDK announces its bodies' length");
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    client.read_exact(&mut body).ok()?;
    request.extend(body);
    Some(request)
}
