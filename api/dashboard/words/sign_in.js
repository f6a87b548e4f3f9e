/** Words of the page that asks who is there. */

import { COMMON } from "./common.js";
import { speak } from "./speak.js";

/** @type {import("./speak.js").Words} */
const WORDS = {
  sign_in: ["Masuk", "Sign in"],
  by: ["Cara masuk", "Way to sign in"],
  by_password: ["Nama dan sandi", "Name and password"],
  by_key: ["Kunci API", "API key"],
  name: ["Nama", "Name"],
  password: ["Sandi", "Password"],
  key_text: ["Kunci dikirim sekali dan tidak disimpan di peramban ini.", "The key is sent once and not kept in this browser."],
  by_oidc: ["Masuk dengan akun organisasi", "Sign in with the organisation's account"],
  or: ["atau", "or"],
  password_wrong: ["Nama atau sandi salah.", "Name or password is wrong."],
  key_wrong: ["Kunci ini tidak berlaku.", "This key is not valid."],
  too_many: ["Terlalu banyak percobaan. Coba lagi setelah {s} dtk.", "Too many tries. Try again after {s} s."],
  no_answer: ["Server tidak menjawab. Coba lagi sebentar lagi.", "The server does not answer. Try again in a moment."],
  to_other_language: ["English", "Bahasa Indonesia"],
};

export const t = speak({ ...COMMON, ...WORDS });
