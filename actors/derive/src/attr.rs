//! Reading an attribute: found exactly once, each option at most once, complaints at the user's word.
//!
//! Must not know which options a macro has.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Ident, LitStr, Result, Token};

/// Longest name of a message or service, in bytes.
const MAX_NAME: usize = 100;

/// Reads the one attribute `name` among an item's attributes.
///
/// `example` completes the complaint that there is none.
pub(crate) fn read<T>(
    attributes: &[Attribute],
    name: &str,
    example: &str,
    parser: impl FnOnce(ParseStream<'_>) -> Result<T>,
) -> Result<T> {
    let mut found = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident(name));
    let Some(attribute) = found.next() else {
        return Err(Error::new(Span::call_site(), format!("add `{example}`")));
    };
    if let Some(second) = found.next() {
        return Err(Error::new_spanned(
            second,
            format!("a second `#[{name}(...)]`; put its options into the first"),
        ));
    }
    attribute.parse_args_with(|input: ParseStream<'_>| parser(input))
}

/// Hands each option `key`, `key = ...` or `key(...)` to `option`, which reads what stands behind the key.
pub(crate) fn options(
    input: ParseStream<'_>,
    allowed: &[&str],
    mut option: impl FnMut(&Ident, ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    let mut seen: Vec<Ident> = Vec::new();
    while !input.is_empty() {
        let key = Ident::parse_any(input)?;
        if !allowed.iter().any(|known| key == known) {
            let text = format!("no option `{key}`; there are {}", allowed.join(", "));
            return Err(Error::new(key.span(), text));
        }
        if seen.contains(&key) {
            return Err(Error::new(key.span(), format!("a second `{key}`")));
        }
        option(&key, input)?;
        seen.push(key);
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

/// Reads `= VALUE`.
pub(crate) fn value<T: Parse>(input: ParseStream<'_>) -> Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// Reads `= "NAME"`, and checks that the name can stand on the wire and as a metric's label.
pub(crate) fn name(input: ParseStream<'_>) -> Result<LitStr> {
    let name: LitStr = value(input)?;
    let text = name.value();
    let complaint = if text.is_empty() {
        "the name is empty".to_owned()
    } else if text.len() > MAX_NAME {
        format!("the name has {} bytes, more than {MAX_NAME}", text.len())
    } else if let Some(bad) = text.chars().find(|c| !c.is_ascii_graphic()) {
        format!("the name has {bad:?}; allowed is printable ASCII without spaces")
    } else {
        return Ok(name);
    };
    Err(Error::new(name.span(), complaint))
}

/// The place of `span` in the user's text, with the names of the macro's own.
///
/// A user's tokens may come from a `macro_rules` of his; names written at their bare spans would be that macro's.
pub(crate) fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}
