/** What the detectors found unusual: over time, in sentences, each with what it is based on. */
import { route } from "../router";
import { AnomalyDetailPage } from "./detail";
import { AnomalyList } from "./list";
import "./anomalies.css";

export function AnomaliesPage() {
  const [id] = route.value.rest;
  return id ? <AnomalyDetailPage key={id} id={id} /> : <AnomalyList />;
}
