//! Embeds the built page: everything below `clients/web/dist`, as a table of paths and bytes.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// More than a page has.
const MAX_FILES: usize = 512;

fn main() -> io::Result<()> {
    let variable = |name| env::var_os(name).ok_or_else(|| io::Error::other("not run by cargo"));
    let dist = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../clients/web/dist");
    // A watched folder that is missing would build this crate anew each time. Where it cannot be
    // made, that is what happens, and it does no harm.
    let _ = fs::create_dir_all(&dist);
    let dist = dist.canonicalize().unwrap_or(dist);
    println!("cargo:rerun-if-changed={}", dist.display());
    println!("cargo:rerun-if-changed=build.rs");

    let mut files = Vec::new();
    if dist.is_dir() {
        collect(&dist, &mut files)?;
    }
    files.sort();
    // The page may be built anew while the compiler runs, so it gets copies.
    let out = PathBuf::from(variable("OUT_DIR")?);
    let mut table = String::from("&[\n");
    for (index, file) in files.iter().enumerate() {
        let copy = out.join(format!("asset-{index}"));
        match fs::copy(file, &copy) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            outcome => outcome?,
        };
        let path = file.strip_prefix(&dist).map_err(io::Error::other)?;
        let path = format!("/{}", path.to_string_lossy().replace('\\', "/"));
        let copy = copy.display().to_string();
        let _ = writeln!(table, "    ({path:?}, include_bytes!({copy:?})),");
    }
    table.push_str("]\n");
    fs::write(out.join("assets.rs"), table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.to_str().is_some() {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(io::Error::other(format!(
                "more than {MAX_FILES} files in clients/web/dist"
            )));
        }
    }
    Ok(())
}
