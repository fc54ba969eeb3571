use lampyris::prelude::*;

#[derive(Serialize, Deserialize, Remote)]
struct NoAttribute;

#[derive(Serialize, Deserialize, Remote)]
#[remote]
struct NoOptions;

#[derive(Serialize, Deserialize, Remote)]
#[remote(reply = String)]
struct NoName;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "")]
struct Empty;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate login")]
struct Space;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.größe")]
struct NotAscii;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "x23456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.1")]
struct TooLong;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = gate)]
struct NoText;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.login", answer = String)]
struct Unknown;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.login")]
struct Parameter<T>(T);

fn main() {}
