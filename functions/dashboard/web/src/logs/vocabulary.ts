/** The query language as the API describes it: asked for once, when the page of logs is first opened. */
import { get } from "../api";
import { type Field, learn } from "./language";

export interface QueryLanguage {
  fields: Field[];
  operators: { example: string; meaning: string }[];
}

const NOTHING: QueryLanguage = { fields: [], operators: [] };
let asked: Promise<QueryLanguage> | null = null;

/** Never rejects: it is a help, and without it one can still search. The next call asks again. */
export function readLanguage(): Promise<QueryLanguage> {
  asked ??= get<QueryLanguage>("api/query-language").then(
    (language) => {
      learn(language.fields);
      return language;
    },
    () => {
      asked = null;
      return NOTHING;
    },
  );
  return asked;
}
