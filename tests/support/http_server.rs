//! A server over HTTP on a port of this machine: what the fakes have in common.

use std::net::SocketAddr;

use axum::Router;

/// Serves until it is dropped, in a runtime of its own.
pub struct HttpServer {
    pub address: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl HttpServer {
    /// Nothing is waited for, so that a test may start it inside a runtime of its own, too.
    pub fn start(router: Router) -> HttpServer {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port of this machine");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("in a runtime");
            axum::serve(listener, router).await
        });
        HttpServer { address, runtime: Some(runtime) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
