//! Components written as text, folders to load them from, and back ends that answer the same every time.
#![allow(dead_code)] // Each test file uses a part of this.

use async_trait::async_trait;
use edge_fns::capability::base::Level;
use edge_fns::capability::blobs;
use edge_fns::capability::cache::{Command, Reply};
use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::capability::documents::{Entry, Id, Outcome, Page, Query, Write};
use edge_fns::capability::identity::{Claims, Refusal};
use edge_fns::capability::sql::{Rows, Value};
use edge_fns::capability::streams::Message;
use edge_fns::capability::wallet::{Asset, Balance, Movement, Posted};
use edge_fns::capability::{
    Base, Blobs, Cache, Connections, Documents, Error, Identity, LogStreams, Millis, Result, Sql, Wallet,
};
use edge_host::{Backends, EdgeHost, Limits, LoadError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A folder of components, gone with the value.
pub struct Folder(PathBuf);

impl Folder {
    pub fn of(components: &[(&str, &[u8])]) -> Folder {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("edge-host-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        for (name, bytes) in components {
            std::fs::write(path.join(format!("{name}.wasm")), bytes).unwrap();
        }
        Folder(path)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.join(format!("{name}.wasm")), bytes).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.0.join(format!("{name}.wasm"))).unwrap();
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn load(&self, backends: Backends, limits: Limits) -> std::result::Result<EdgeHost, LoadError> {
        EdgeHost::load(&self.0, backends, limits)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The components that `cargo xtask components` built, if it did.
pub fn built() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/components");
    let any = std::fs::read_dir(&folder).is_ok_and(|mut files| files.next().is_some());
    if !any {
        assert!(std::env::var_os("SUPERNOBA_FULL_TESTS").is_none(), "{} is empty", folder.display());
        println!("skipped: {} is empty; `cargo xtask components` builds the components", folder.display());
    }
    any.then_some(folder)
}

/// A component of a world in `wit/` from the text of its core module.
pub fn component(world: &str, module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (package, _) = resolve.push_dir(folder).unwrap();
    encode(&resolve, package, world, module)
}

/// A component of a world written here.
pub fn component_of(wit: &str, world: &str, module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("inline.wit", wit).unwrap();
    encode(&resolve, package, world, module)
}

fn encode(resolve: &Resolve, package: wit_parser::PackageId, world: &str, module: &str) -> Vec<u8> {
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8, false).unwrap();
    ComponentEncoder::default().module(&module).and_then(|encoder| encoder.validate(true).encode()).unwrap()
}

/// A module with memory, an allocator that never frees, and these imports and functions.
pub fn module(imports: &str, pages: u32, functions: &str) -> String {
    format!(
        r#"(module
            {imports}
            (memory (export "memory") {pages})
            (data (i32.const 64) "ALLOW_TEST_MODE")
            (global $free (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.set $free (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            {functions})"#
    )
}

/// A module that answers HTTP requests: with status 200 and `answer` bytes, after the code. The length of the
/// request's body is in `$body`.
pub fn http_module(imports: &str, pages: u32, code: &str, answer: u32) -> String {
    let handle = format!(
        r#"(func (export "supernoba:edge/http-handler@0.1.0#handle")
            (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (param $body i32) (result i32)
            {code}
            (i32.store16 (i32.const 1024) (i32.const 200))
            (i32.store (i32.const 1036) (i32.const 2048))
            (i32.store (i32.const 1040) (i32.const {answer}))
            (i32.const 1024))"#
    );
    module(imports, pages, &handle)
}

/// A line of the log: level, message, fields.
type Line = (Level, String, Vec<(String, String)>);

/// Answers everything at once, or after `delay`.
#[derive(Default)]
pub struct Fakes {
    pub delay: Option<Duration>,
    /// How often the configuration was read.
    pub asked: AtomicU64,
    pub logs: Mutex<Vec<Line>>,
    pub movements: Mutex<Vec<Movement>>,
    pub appended: Mutex<Vec<Message>>,
}

impl Fakes {
    pub fn slow(delay: Duration) -> Arc<Fakes> {
        Arc::new(Fakes { delay: Some(delay), ..Fakes::default() })
    }

    pub fn backends(self: &Arc<Fakes>) -> Backends {
        Backends {
            base: self.clone(),
            identity: self.clone(),
            cache: self.clone(),
            documents: self.clone(),
            streams: self.clone(),
            sql: self.clone(),
            wallet: self.clone(),
            connections: self.clone(),
            blobs: self.clone(),
        }
    }

    async fn wait(&self) {
        if let Some(delay) = self.delay {
            tokio::time::sleep(delay).await;
        }
    }
}

#[async_trait]
impl Base for Fakes {
    fn now(&self) -> Millis {
        1_700_000_000_000
    }

    fn random(&self, len: u32) -> Vec<u8> {
        vec![7; len as usize]
    }

    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.logs.lock().unwrap().push((level, message.to_owned(), fields));
    }

    async fn config(&self, name: &str) -> Result<Option<String>> {
        self.asked.fetch_add(1, Relaxed);
        self.wait().await;
        Ok((!name.is_empty()).then(|| "true".to_owned()))
    }
}

#[async_trait]
impl Identity for Fakes {
    async fn verify(&self, token: &str) -> Result<std::result::Result<Claims, Refusal>> {
        self.wait().await;
        let claims = Claims { user: token.to_owned(), role: "authenticated".into(), expires: u64::MAX };
        Ok(if token == "expired" { Err(Refusal::Expired) } else { Ok(claims) })
    }
}

#[async_trait]
impl Cache for Fakes {
    async fn run(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        self.wait().await;
        let reply = |command| match command {
            Command::Sismember(..) => Ok(Reply::Integer(1)),
            Command::Set(..) => Ok(Reply::Done),
            Command::Hgetall(_) => Ok(Reply::Pairs(Vec::new())),
            Command::Mget(_) | Command::Smembers(_) | Command::Lrange(..) => Ok(Reply::Values(Vec::new())),
            Command::Scan { .. } => Ok(Reply::Page(0, Vec::new())),
            Command::Eval { .. } => Err(Error::Denied("no scripts here".into())),
            _ => Ok(Reply::Nil),
        };
        Ok(commands.into_iter().map(reply).collect())
    }

    async fn run_atomic(&self, commands: Vec<Command>) -> Result<Vec<Reply>> {
        self.run(commands).await?.into_iter().collect()
    }
}

#[async_trait]
impl Documents for Fakes {
    async fn get(&self, ids: Vec<Id>) -> Result<Vec<Option<Entry>>> {
        self.wait().await;
        Ok(ids.into_iter().map(|_| None).collect())
    }

    async fn put(&self, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        self.wait().await;
        Ok(writes.into_iter().map(|_| Outcome::Written(1)).collect())
    }

    async fn put_all(&self, _writes: Vec<Write>) -> Result<Outcome> {
        self.wait().await;
        Ok(Outcome::Written(1))
    }

    async fn search(&self, _query: Query) -> Result<Page> {
        self.wait().await;
        Ok(Page::default())
    }
}

#[async_trait]
impl LogStreams for Fakes {
    async fn append(&self, _stream: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>> {
        self.wait().await;
        let numbers = messages.iter().map(|_| Ok("1".to_owned())).collect();
        self.appended.lock().unwrap().extend(messages);
        Ok(numbers)
    }
}

#[async_trait]
impl Sql for Fakes {
    async fn query(&self, _statement: &str, _params: Vec<Value>) -> Result<Rows> {
        self.wait().await;
        Ok(Rows::default())
    }

    async fn execute(&self, _statement: &str, params: Vec<Vec<Value>>) -> Result<u64> {
        self.wait().await;
        Ok(params.len() as u64)
    }
}

#[async_trait]
impl Wallet for Fakes {
    async fn post(&self, movements: Vec<Movement>) -> Result<Vec<Result<Posted>>> {
        self.wait().await;
        let posted = movements.iter().map(|_| Ok(Posted::Done)).collect();
        self.movements.lock().unwrap().extend(movements);
        Ok(posted)
    }

    async fn balances(&self, _user: &str) -> Result<Vec<Balance>> {
        self.wait().await;
        Ok(vec![
            Balance { asset: Asset::Cash, available: 700, locked: 30 },
            Balance { asset: Asset::Stock("AAA".into()), available: 5, locked: 0 },
        ])
    }
}

#[async_trait]
impl Connections for Fakes {
    async fn post(&self, pushes: Vec<Push>) -> Result<Vec<Vec<Result<Delivery>>>> {
        self.wait().await;
        Ok(pushes.into_iter().map(|push| push.to.into_iter().map(|_| Ok(Delivery::Sent)).collect()).collect())
    }

    async fn probe(&self, ids: Vec<String>) -> Result<Vec<Result<bool>>> {
        self.wait().await;
        Ok(ids.into_iter().map(|_| Ok(true)).collect())
    }

    async fn close(&self, _id: &str) -> Result<()> {
        self.wait().await;
        Ok(())
    }
}

#[async_trait]
impl Blobs for Fakes {
    async fn put(&self, writes: Vec<blobs::Write>) -> Result<Vec<Result<blobs::Outcome>>> {
        self.wait().await;
        Ok(writes.into_iter().map(|_| Ok(blobs::Outcome::Written("1".into()))).collect())
    }

    async fn get(&self, reads: Vec<blobs::Read>) -> Result<Vec<Result<Option<blobs::Object>>>> {
        self.wait().await;
        Ok(reads.into_iter().map(|_| Ok(None)).collect())
    }

    async fn search(&self, _query: blobs::Query) -> Result<blobs::Page> {
        self.wait().await;
        Ok(blobs::Page::default())
    }

    async fn delete(&self, keys: Vec<String>) -> Result<Vec<Result<()>>> {
        self.wait().await;
        Ok(keys.into_iter().map(|_| Ok(())).collect())
    }
}
