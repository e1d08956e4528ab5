//! The worker's side of the protocol: it answers calls, and works on in slices in between.
//!
//! The host has no clock and no thread. Whoever runs it tells it the time, and calls [`Host::work`] as often as [`Host::pace`] says.

use crate::account::Refusal;
use crate::flow::Flow;
use crate::generate::Generator;
use crate::load::{Loader, Loading};
use crate::look::{look, order_of};
use crate::protocol::{
    Bookmark, FlowSeen, MAX_BOOKMARKS, MAX_LABEL, Opened, Phase, Place, Reply, Request, Source,
};
use crate::session::{Goal, OPENING, Session, Speed};
use crate::share::{self, FileReader, ShareError, Shared};
use engine_core::digest::state_hash;
use flate2::write::MultiGzDecoder;
use std::io::{ErrorKind, Write};

/// The largest file that is read, unpacked.
pub const MAX_FILE: u64 = 1 << 30;
/// The first byte of a file that gzip has packed; no text and no record begins with it.
const GZIP: u8 = 0x1F;
/// What is unpacked at once: a thousand times as much may come out of it.
const PACKED: usize = 4 << 10;

/// How soon there is work to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At once.
    Now,
    /// When some time has gone by.
    Soon,
    /// When somebody calls.
    Never,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Empty,
    /// The first bytes of a file say what it is.
    Opening {
        name: String,
    },
    Reading(Box<Loader>),
    /// What [`Request::Save`] wrote is read when it is all there.
    Gathering(Vec<u8>),
    Unpacking(Box<FileReader>),
    Generating(Box<Generator>),
    Indexing(Box<Session>),
    Ready(Box<Session>),
}

/// Whether the bytes of a file are packed.
#[derive(Debug, Default)]
enum Packing {
    #[default]
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// What follows the damage means nothing.
    Broken,
}

/// Everything that a worker has.
#[derive(Debug, Default)]
pub struct Host {
    state: State,
    /// Unpacks the file that is being read, if it is packed.
    unpacking: Packing,
    /// Number of the last flow.
    flows: u32,
    flow: Option<FlowSeen>,
    source: Option<Source>,
    loading: Loading,
    /// To be laid down when its flow is there.
    shared: Option<Shared>,
    opened: Option<(u128, Opened)>,
    bookmarks: Vec<Bookmark>,
    marked: u32,
    playing: bool,
    speed: Option<Speed>,
    /// When work was last done, in microseconds.
    last_us: u64,
    changed: bool,
    /// What everything takes, as whoever runs the host has told.
    memory: u64,
}

/// Why a call was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refused {
    code: &'static str,
    detail: String,
}

impl Refused {
    fn new(code: &'static str, detail: impl Into<String>) -> Refused {
        Refused { code, detail: detail.into() }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused::new(refusal.code(), "")
    }
}

impl From<ShareError> for Refused {
    fn from(error: ShareError) -> Refused {
        Refused::new(error.code(), error.to_string())
    }
}

impl Host {
    /// Answers a call.
    pub fn answer(&mut self, request: Request) -> Reply {
        let looks = matches!(request, Request::Look(_));
        let reply = self.carry_out(request);
        // Whoever has looked knows all; whoever has done something wants to see what came of it.
        self.changed = !looks;
        reply.unwrap_or_else(|refused| Reply::Refused { code: refused.code.into(), detail: refused.detail })
    }

    fn carry_out(&mut self, request: Request) -> Result<Reply, Refused> {
        match request {
            Request::Generate(parameters) => {
                parameters.check().map_err(|why| Refused::new("sandbox_bad_parameters", why))?;
                self.begin(Source::Generated(parameters));
                self.state = State::Generating(Box::new(Generator::new(parameters)));
            }
            Request::OpenFragment(text) => {
                let (parameters, shared) = share::from_fragment(&text)?;
                self.begin(Source::Generated(parameters));
                self.shared = Some(shared);
                self.state = State::Generating(Box::new(Generator::new(parameters)));
            }
            Request::Open { name } => {
                self.begin(Source::File(name.clone()));
                self.state = State::Opening { name };
            }
            Request::Chunk(bytes) => return self.chunk(&bytes),
            Request::Close => self.close()?,
            Request::Play(speed) => {
                self.session()?;
                (self.playing, self.speed) = (true, Some(speed));
            }
            Request::Pause => self.playing = false,
            Request::Step => {
                self.playing = false;
                let session = self.session()?;
                if session.is_seeking() {
                    return Err(Refusal::Busy.into());
                }
                session.step();
            }
            Request::StepBack => {
                self.playing = false;
                let session = self.session()?;
                session.seek(Goal::Position(session.position().saturating_sub(1)));
            }
            Request::Seek(goal) => self.session()?.seek(goal),
            Request::Mark { label } => self.mark(&label)?,
            Request::Unmark(number) => self.bookmarks.retain(|mark| mark.number != number),
            Request::Place(ticket) => return Ok(Reply::Placed(self.session()?.order(&order_of(&ticket))?)),
            Request::Cancel(order) => self.session()?.cancel(order)?,
            Request::CancelAll => self.session()?.cancel_all()?,
            Request::Replace { order, price, quantity } => {
                self.session()?.replace(order, price, quantity, None)?;
            }
            Request::Look(wanted) => {
                let place = self.place();
                let session = match &mut self.state {
                    State::Ready(session) => Some(&mut **session),
                    _ => None,
                };
                return Ok(Reply::Seen(Box::new(look(place, session, &wanted))));
            }
            Request::Verify => {
                let session = self.session()?;
                let market = session.market().clone();
                session.checks().walk(&market);
            }
            Request::Share => {
                let shared = self.share()?;
                return match &self.source {
                    Some(Source::Generated(parameters)) => {
                        Ok(Reply::Fragment(share::to_fragment(parameters, &shared)?))
                    }
                    Some(Source::File(_)) => Err(ShareError::NeedsFile.into()),
                    None => Err(ShareError::NoFlow.into()),
                };
            }
            Request::Save => {
                let shared = self.share()?;
                let session = self.session()?;
                let name = format!("{}.snshare", session.flow().symbol);
                return Ok(Reply::File { name, bytes: share::to_file(session.flow(), &shared) });
            }
        }
        Ok(Reply::Done)
    }

    /// A new flow is on its way: what was is gone.
    fn begin(&mut self, source: Source) {
        *self = Host {
            flows: self.flows + 1,
            marked: self.marked,
            last_us: self.last_us,
            memory: self.memory,
            ..Host::default()
        };
        self.source = Some(source);
    }

    fn session(&mut self) -> Result<&mut Session, Refusal> {
        match &mut self.state {
            State::Ready(session) => Ok(session),
            State::Empty => Err(Refusal::NoFlow),
            _ => Err(Refusal::Busy),
        }
    }

    // ---- files ----

    fn chunk(&mut self, bytes: &[u8]) -> Result<Reply, Refused> {
        if matches!(self.state, State::Opening { .. }) && bytes.first() == Some(&GZIP) {
            self.unpacking = Packing::Gzip(Box::new(MultiGzDecoder::new(Vec::new())));
        }
        match std::mem::take(&mut self.unpacking) {
            Packing::Plain => self.unpacked(bytes)?,
            Packing::Broken => self.unpacking = Packing::Broken,
            Packing::Gzip(mut gzip) => {
                for part in bytes.chunks(PACKED) {
                    let is_sound = gzip.write_all(part).is_ok();
                    let unpacked = std::mem::take(gzip.get_mut());
                    self.unpacked(&unpacked)?;
                    if !is_sound {
                        self.unpacking = Packing::Broken;
                        self.break_off("the packed data is damaged from here on")?;
                        return Ok(Reply::Reading(self.loading.clone()));
                    }
                }
                self.unpacking = Packing::Gzip(gzip);
            }
        }
        Ok(Reply::Reading(self.loading.clone()))
    }

    /// What was read of a packed file until it could not be read any further is kept, where it is a flow.
    fn break_off(&mut self, reason: &str) -> Result<(), Refused> {
        if let State::Reading(loader) = &mut self.state {
            loader.break_off(reason);
            self.loading = loader.loading().clone();
            return Ok(());
        }
        self.state = State::Empty;
        Err(Refused::new("sandbox_bad_gzip", ""))
    }

    fn unpacked(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.loading.bytes += bytes.len() as u64;
        if self.loading.bytes > MAX_FILE {
            self.state = State::Empty;
            return Err(Refused::new("sandbox_file_too_large", "more than a gigabyte"));
        }
        if let State::Opening { name } = &self.state
            && !bytes.is_empty()
        {
            self.state = if share::is_file(bytes) {
                State::Gathering(Vec::new())
            } else {
                State::Reading(Box::new(Loader::new(name)))
            };
        }
        match &mut self.state {
            State::Reading(loader) => {
                loader.push(bytes);
                self.loading = loader.loading().clone();
            }
            State::Gathering(all) => all.extend_from_slice(bytes),
            State::Opening { .. } => {}
            _ => return Err(Refused::new("sandbox_no_file", "no file was opened")),
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Refused> {
        if let Packing::Gzip(mut gzip) = std::mem::take(&mut self.unpacking) {
            let ended = gzip.try_finish();
            let rest = std::mem::take(gzip.get_mut());
            self.unpacked(&rest)?;
            match ended.map_err(|error| error.kind()) {
                Ok(()) => {}
                Err(ErrorKind::UnexpectedEof) => {
                    self.break_off("the packed data ends here, before its end")?;
                }
                Err(_) => self.break_off("the packed data is damaged: its checksum is another one")?,
            }
        }
        match std::mem::take(&mut self.state) {
            State::Reading(loader) => {
                let (flow, loading) = loader.finish();
                self.loading = loading;
                self.index(flow)
            }
            State::Gathering(bytes) => {
                self.state = State::Unpacking(Box::new(FileReader::new(bytes)?));
                Ok(())
            }
            State::Opening { .. } => Err(Refused::new("sandbox_empty_file", "nothing could be read")),
            other => {
                self.state = other;
                Err(Refused::new("sandbox_no_file", "no file was opened"))
            }
        }
    }

    fn index(&mut self, flow: Flow) -> Result<(), Refused> {
        if flow.is_empty() {
            let first = self.loading.first_bad.first();
            let why = first.map_or_else(String::new, |bad| format!("{}: {}", bad.number, bad.reason));
            return Err(Refused::new("sandbox_empty_file", why));
        }
        self.state = State::Indexing(Box::new(Session::new(flow, OPENING)));
        Ok(())
    }

    // ---- work ----

    /// When to call [`Host::work`] next.
    pub fn pace(&self) -> Pace {
        match &self.state {
            State::Empty | State::Opening { .. } | State::Reading(_) | State::Gathering(_) => Pace::Never,
            State::Unpacking(_) | State::Generating(_) | State::Indexing(_) => Pace::Now,
            State::Ready(session) if session.is_seeking() => Pace::Now,
            State::Ready(_) if !self.playing => Pace::Never,
            State::Ready(_) if self.speed == Some(Speed::Most) => Pace::Now,
            State::Ready(_) => Pace::Soon,
        }
    }

    /// Works on, for at most so many steps; `now_us` never goes back. Answers whether the page should be told that there is something
    /// to look at.
    pub fn work(&mut self, now_us: u64, budget: u64) -> bool {
        let elapsed = now_us.saturating_sub(self.last_us);
        self.last_us = now_us;
        let before = self.changed;
        let worked = self.pace() != Pace::Never;
        self.state = match std::mem::take(&mut self.state) {
            State::Generating(mut generator) => {
                if generator.run(budget) {
                    self.indexed(generator.finish())
                } else {
                    State::Generating(generator)
                }
            }
            State::Unpacking(mut reader) => match reader.run(budget) {
                Ok(true) => {
                    let (flow, shared) = reader.finish();
                    self.shared = Some(shared);
                    self.indexed(flow)
                }
                Ok(false) => State::Unpacking(reader),
                Err(error) => {
                    self.fail(0, &error.to_string());
                    State::Empty
                }
            },
            State::Indexing(mut session) => {
                session.advance(0, Speed::Most, budget);
                if session.at_end() { self.ready(session) } else { State::Indexing(session) }
            }
            State::Ready(mut session) => {
                self.play(&mut session, elapsed, budget);
                State::Ready(session)
            }
            other => other,
        };
        self.changed |= worked;
        self.changed && !before
    }

    /// What the worker takes, in bytes: only its shell can know.
    pub fn tell_memory(&mut self, bytes: u64) {
        self.memory = bytes;
    }

    /// Whether something has happened since the page last looked.
    pub fn has_news(&self) -> bool {
        self.changed
    }

    fn fail(&mut self, number: u64, reason: &str) {
        self.loading.bad += 1;
        self.loading.first_bad.push(crate::load::Bad { number, reason: reason.into() });
    }

    fn indexed(&mut self, flow: Flow) -> State {
        match self.index(flow) {
            Ok(()) => std::mem::take(&mut self.state),
            Err(refused) => {
                self.fail(0, refused.code);
                State::Empty
            }
        }
    }

    fn ready(&mut self, mut session: Box<Session>) -> State {
        let flow = session.flow();
        let end = session.hash();
        let (first, last) = flow.span();
        self.flow = Some(FlowSeen {
            number: self.flows,
            symbol: flow.symbol.clone(),
            source: self.source.clone().unwrap_or(Source::File(String::new())),
            steps: flow.len(),
            first,
            last,
            memory: flow.memory() as u64,
            digest: format!("{:032x}", flow.digest()),
            bad: self.loading.clone(),
            as_recorded: flow.recorded_state.map(|state| state == end),
            end_hash: format!("{end:032x}"),
        });
        session.seek_now(Goal::Position(0));
        if let Some(shared) = self.shared.take() {
            if session.lay_down(shared.commands) {
                session.seek(Goal::Position(shared.position));
                self.opened = Some((shared.hash, Opened::Going));
                self.bookmarks = shared.bookmarks;
                self.marked = self.bookmarks.len() as u32;
            } else {
                self.fail(0, &ShareError::Impossible.to_string());
            }
        }
        State::Ready(session)
    }

    fn play(&mut self, session: &mut Session, elapsed: u64, budget: u64) {
        if session.is_seeking() {
            if session.pursue(budget)
                && let Some((expected, going @ Opened::Going)) = &mut self.opened
            {
                let same = session.hash() == *expected;
                *going = Opened::There { expected: format!("{expected:032x}"), same };
            }
        } else if self.playing {
            session.advance(elapsed, self.speed.unwrap_or(Speed::Tenths(10)), budget);
            if session.at_end() {
                self.playing = false;
            }
        }
    }

    // ---- marks and places ----

    fn mark(&mut self, label: &str) -> Result<(), Refused> {
        if self.bookmarks.len() >= MAX_BOOKMARKS {
            return Err(Refused::new("sandbox_too_many_bookmarks", ""));
        }
        let session = self.session()?;
        let (position, clock) = (session.position(), session.clock());
        self.marked += 1;
        let label: String = label.trim().chars().take(MAX_LABEL).collect();
        self.bookmarks.push(Bookmark { number: self.marked, position, clock, label });
        self.bookmarks.sort_by_key(|mark| (mark.position, mark.number));
        Ok(())
    }

    /// The place as it is shared. Own commands of this very place belong to it, so those that are still to come again come now.
    fn share(&mut self) -> Result<Shared, Refused> {
        let bookmarks = self.bookmarks.clone();
        self.playing = false;
        let session = self.session()?;
        if session.is_seeking() {
            return Err(Refusal::Busy.into());
        }
        let position = session.position();
        session.seek_now(Goal::Position(position));
        Ok(Shared { commands: session.commands().to_vec(), bookmarks, position, hash: session.hash() })
    }

    fn place(&self) -> Place {
        let mut place = Place {
            phase: self.phase(),
            flow: self.flow.clone(),
            playing: self.playing,
            bookmarks: self.bookmarks.clone(),
            opened: self.opened.as_ref().map(|(_, opened)| opened.clone()),
            memory: self.memory,
            ..Place::default()
        };
        if let State::Ready(session) = &self.state {
            place.seeking = session.is_seeking();
            place.at_end = session.at_end();
            place.position = session.position();
            place.clock = session.clock();
            place.sequence = session.market().sequence();
            place.jumps = session.jumps();
            place.commands = session.commands().len() as u64;
            place.applied = session.applied();
            place.diverged_after = session.diverged_after();
        }
        place
    }

    fn phase(&self) -> Phase {
        match &self.state {
            // A file that could not be read says so for as long as nothing else is asked for.
            State::Empty if self.loading.bad > 0 => Phase::Reading(self.loading.clone()),
            State::Empty => Phase::Empty,
            State::Opening { .. } | State::Reading(_) | State::Gathering(_) => {
                Phase::Reading(self.loading.clone())
            }
            State::Unpacking(reader) => {
                let (made, of) = reader.made();
                Phase::Generating { made, of }
            }
            State::Generating(generator) => {
                Phase::Generating { made: generator.made(), of: generator.asked() }
            }
            State::Indexing(session) => {
                Phase::Indexing { done: session.position(), of: session.flow().len() }
            }
            State::Ready(_) => Phase::Ready,
        }
    }

    /// For whoever measures: the session, once there is one.
    pub fn ready_session(&mut self) -> Option<&mut Session> {
        match &mut self.state {
            State::Ready(session) => Some(session),
            _ => None,
        }
    }
}

/// The hash of a flow's end without anybody's orders: what a native program says of the same flow.
pub fn end_hash(flow: &Flow) -> u128 {
    let mut market = flow.opening.clone();
    let mut cursor = flow.cursor(0);
    let mut events = Vec::new();
    while let Some((time, step)) = flow.next(&mut cursor) {
        if let Some(command) = step.resolve(&market) {
            events.clear();
            market.apply(time, &command, &mut events);
        }
    }
    state_hash(&market)
}
