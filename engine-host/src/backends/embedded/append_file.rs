//! A file of frames: what was appended is there after a crash of the process, a torn last frame is cut off.
//!
//! A frame is its length (4 bytes), the CRC-32 of its content (4 bytes), both little-endian, and the content.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const HEADER: usize = 8;
/// Longer frames are not written; a longer length in a file is damage.
const LONGEST: u32 = 64 << 20;

#[derive(Debug)]
pub struct AppendFile {
    file: File,
    /// End of the last whole frame.
    end: u64,
}

impl AppendFile {
    /// Opens or creates the file and hands every whole frame to `each`, in order. What follows the last whole frame
    /// is removed.
    pub fn open(path: &Path, mut each: impl FnMut(&[u8])) -> io::Result<AppendFile> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut reader = BufReader::new(&mut file);
        let mut whole = 0;
        let mut content = Vec::new();
        while let Some(length) = read_frame(&mut reader, &mut content)? {
            each(&content);
            whole += length;
        }
        file.set_len(whole)?;
        file.seek(SeekFrom::Start(whole))?;
        Ok(AppendFile { file, end: whole })
    }

    /// Replaces the file by one that holds just these frames. A crash leaves the old or the new one.
    pub fn rewrite<'a>(path: &Path, frames: impl Iterator<Item = &'a [u8]>) -> io::Result<AppendFile> {
        let fresh: PathBuf = path.with_extension("new");
        let mut file = AppendFile { file: File::create(&fresh)?, end: 0 };
        for frame in frames {
            file.append(frame)?;
        }
        file.sync()?;
        std::fs::rename(&fresh, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(file)
    }

    /// One frame in one write. Of a frame that could not be written whole nothing stays, so that the next one does not
    /// follow a torn one.
    pub fn append(&mut self, content: &[u8]) -> io::Result<()> {
        let length = u32::try_from(content.len()).ok().filter(|length| *length <= LONGEST);
        let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "frame too long"))?;
        let mut frame = Vec::with_capacity(HEADER + content.len());
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(&crc32fast::hash(content).to_le_bytes());
        frame.extend_from_slice(content);
        if let Err(error) = self.file.write_all(&frame) {
            self.file.set_len(self.end)?;
            self.file.seek(SeekFrom::Start(self.end))?;
            return Err(error);
        }
        self.end += frame.len() as u64;
        Ok(())
    }

    /// Everything appended so far survives a crash of the machine too.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Reads one frame into `content`; `None` where no whole frame follows. The answer is the frame's size in the file.
fn read_frame(reader: &mut impl Read, content: &mut Vec<u8>) -> io::Result<Option<u64>> {
    let mut header = [0; HEADER];
    if !read_whole(reader, &mut header)? {
        return Ok(None);
    }
    let [a, b, c, d, e, f, g, h] = header;
    let (length, checksum) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    if length > LONGEST {
        return Ok(None);
    }
    content.resize(length as usize, 0);
    let whole = read_whole(reader, content)? && crc32fast::hash(content) == checksum;
    Ok(whole.then_some(HEADER as u64 + u64::from(length)))
}

fn read_whole(reader: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(path: &Path) -> Vec<Vec<u8>> {
        let mut frames = vec![];
        AppendFile::open(path, |frame| frames.push(frame.to_vec())).unwrap();
        frames
    }

    proptest! {
        /// However the end is torn, the whole frames before it stay and new ones follow them.
        #[test]
        fn a_torn_end_costs_only_itself(
            written in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..10),
            cut in 1usize..60,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            let mut file = AppendFile::open(&path, |_| {}).unwrap();
            for frame in &written {
                file.append(frame).unwrap();
            }
            let length = std::fs::metadata(&path).unwrap().len();
            let left = length.saturating_sub(cut as u64);
            OpenOptions::new().write(true).open(&path).unwrap().set_len(left).unwrap();
            let mut end = 0;
            let kept: Vec<_> = written
                .iter()
                .take_while(|frame| {
                    end += (HEADER + frame.len()) as u64;
                    end <= left
                })
                .cloned()
                .collect();
            prop_assert_eq!(&frames(&path), &kept);
            AppendFile::open(&path, |_| {}).unwrap().append(b"next").unwrap();
            let mut expected = kept;
            expected.push(b"next".to_vec());
            prop_assert_eq!(frames(&path), expected);
        }
    }
}
