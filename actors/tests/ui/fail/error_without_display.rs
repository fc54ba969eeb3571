use lampyris::prelude::*;

#[derive(Serialize, Deserialize)]
struct LoginError;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.login", error = LoginError)]
struct Login;

fn main() {}
