/** What the logs say, and how often: each message with its values taken out. */
import { route } from "../router";
import { TemplateDetailPage } from "./detail";
import { TemplateList } from "./list";
import "./templates.css";

export function TemplatesPage() {
  const [id] = route.value.rest;
  return id ? <TemplateDetailPage key={id} id={id} /> : <TemplateList />;
}
