//! A Git server as people run it: nginx with TLS and basic authentication before Git's backend.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::git_server::Bare;

/// What is wrong with the certificate of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    Good,
    /// Of an authority that is not [`TlsServer::authority`].
    UnknownAuthority,
    OtherName,
    Expired,
}

const CERTIFICATES: [Certificate; 4] = [
    Certificate::Good,
    Certificate::UnknownAuthority,
    Certificate::OtherName,
    Certificate::Expired,
];

/// A server with a port for each kind of certificate; it ends with the value.
pub struct TlsServer {
    folder: tempfile::TempDir,
    ports: Vec<u16>,
    programs: Vec<Child>,
}

impl TlsServer {
    pub fn start(user: &str, password: &str) -> TlsServer {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        authority(path, "ca");
        authority(path, "unknown-ca");
        // Held together, so that they differ.
        let listeners =
            CERTIFICATES.map(|_| TcpListener::bind("127.0.0.1:0").expect("a port of this machine"));
        let ports = listeners.map(|listener| listener.local_addr().expect("an address").port());
        for (certificate, port) in CERTIFICATES.iter().zip(ports) {
            let ca =
                if *certificate == Certificate::UnknownAuthority { "unknown-ca" } else { "ca" };
            let name = match certificate {
                Certificate::OtherName => "DNS:other.example,IP:127.0.0.2",
                _ => "DNS:localhost,IP:127.0.0.1",
            };
            let is_valid = *certificate != Certificate::Expired;
            sign(path, ca, &port.to_string(), name, is_valid);
        }
        fs::write(path.join("users"), format!("{user}:{{PLAIN}}{password}\n")).expect("a file");
        let servers: String = ports.iter().map(|port| server(path, *port)).collect();
        let configuration = format!(
            "daemon off; master_process off; pid {0}/nginx.pid; error_log {0}/error.log;\n\
             events {{}}\n\
             http {{\n\
             client_max_body_size 0; client_body_temp_path {0}/body; fastcgi_temp_path {0}/fastcgi;\n\
             proxy_temp_path {0}/proxy; uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;\n\
             {servers}}}\n",
            path.display()
        );
        fs::write(path.join("nginx.conf"), configuration).expect("a file");
        let socket = format!("unix:{}/socket", path.display());
        let mut programs = vec![run("fcgiwrap", &["-s", &socket])];
        let configuration = path.join("nginx.conf").display().to_string();
        let errors = path.join("error.log").display().to_string();
        programs.push(run("nginx", &["-e", &errors, "-c", &configuration]));
        let mut server = TlsServer { ports: ports.to_vec(), programs, folder };
        server.wait();
        server
    }

    /// Makes an empty bare repository `NAME.git`.
    pub fn repository(&self, name: &str) -> Bare {
        Bare::init(&self.folder.path().join("git").join(format!("{name}.git")))
    }

    pub fn url_of(&self, name: &str, certificate: Certificate) -> String {
        format!("https://127.0.0.1:{}/{name}.git", self.port(certificate))
    }

    /// The file of the authority that signed all certificates but one.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The requests that came in, a line for each.
    pub fn requests(&self, certificate: Certificate) -> Vec<String> {
        let path = self.folder.path().join(format!("{}.log", self.port(certificate)));
        fs::read_to_string(path).expect("the log").lines().map(str::to_owned).collect()
    }

    fn port(&self, certificate: Certificate) -> u16 {
        self.ports[CERTIFICATES.iter().position(|one| *one == certificate).expect("is there")]
    }

    fn wait(&mut self) {
        let start = Instant::now();
        let is_up = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
        while !self.ports.iter().all(is_up) || !self.folder.path().join("socket").exists() {
            for program in &mut self.programs {
                let ended = program.try_wait().expect("a child");
                let log = fs::read_to_string(self.folder.path().join("error.log"));
                assert!(ended.is_none(), "a program ended: {ended:?} {log:?}");
            }
            assert!(start.elapsed() < Duration::from_secs(20), "nginx does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        for program in &mut self.programs {
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}

fn server(folder: &Path, port: u16) -> String {
    let git = Command::new("git").arg("--exec-path").output().expect("`git` is installed");
    let git = String::from_utf8(git.stdout).expect("UTF-8");
    format!(
        "server {{\n\
         listen 127.0.0.1:{port} ssl; access_log {0}/{port}.log;\n\
         ssl_certificate {0}/{port}.pem; ssl_certificate_key {0}/{port}.key;\n\
         location / {{\n\
         auth_basic git; auth_basic_user_file {0}/users;\n\
         fastcgi_pass unix:{0}/socket;\n\
         fastcgi_param SCRIPT_FILENAME {1}/git-http-backend;\n\
         fastcgi_param GIT_PROJECT_ROOT {0}/git; fastcgi_param GIT_HTTP_EXPORT_ALL 1;\n\
         fastcgi_param GIT_CONFIG_GLOBAL /dev/null; fastcgi_param GIT_CONFIG_NOSYSTEM 1;\n\
         fastcgi_param PATH_INFO $uri; fastcgi_param QUERY_STRING $query_string;\n\
         fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REMOTE_USER $remote_user;\n\
         fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;\n\
         }}\n}}\n",
        folder.display(),
        git.trim()
    )
}

/// Starts a program; Debian keeps servers where not everybody's PATH leads.
fn run(program: &str, arguments: &[&str]) -> Child {
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new(program)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("`{program}` is not installed: {error}"))
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("`openssl` is not installed: {error}"));
    assert!(
        output.status.success(),
        "`openssl {}` failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

const KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/// Makes `NAME.pem` and `NAME.key`.
fn authority(folder: &Path, name: &str) {
    let (key, certificate, subject) =
        (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
    let arguments = [
        &["req", "-x509"],
        &KEY[..],
        &["-keyout", &key, "-out", &certificate, "-days", "2", "-subj", &subject],
        &["-addext", "keyUsage=critical,keyCertSign,digitalSignature"],
    ];
    openssl(folder, &arguments.concat());
}

/// Makes `NAME.pem` and `NAME.key`, signed by an authority, for subject alternative names.
fn sign(folder: &Path, authority: &str, name: &str, alternative_names: &str, is_valid: bool) {
    let file = |end: &str| format!("{name}.{end}");
    let (key, request, certificate) = (file("key"), file("csr"), file("pem"));
    let arguments =
        [&["req", "-new"], &KEY[..], &["-keyout", &key, "-out", &request, "-subj", "/CN=server"]];
    openssl(folder, &arguments.concat());
    let index = file("index");
    fs::write(folder.join(&index), "").expect("a file");
    let configuration = format!(
        "[ca]\ndefault_ca = it\n[it]\ndatabase = {index}\nnew_certs_dir = .\nrand_serial = yes\n\
         default_md = sha256\npolicy = any\nx509_extensions = server\n\
         [any]\ncommonName = supplied\n\
         [server]\nbasicConstraints = CA:FALSE\nextendedKeyUsage = serverAuth\n\
         subjectAltName = {alternative_names}\n"
    );
    let configuration_file = file("cnf");
    fs::write(folder.join(&configuration_file), configuration).expect("a file");
    let (authority, authority_key) = (format!("{authority}.pem"), format!("{authority}.key"));
    let dates: &[&str] = if is_valid {
        &["-days", "2"]
    } else {
        &["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"]
    };
    let arguments = [
        &["ca", "-batch", "-notext", "-config", &configuration_file],
        &["-cert", &authority, "-keyfile", &authority_key, "-in", &request, "-out", &certificate][..],
        dates,
    ];
    openssl(folder, &arguments.concat());
}
