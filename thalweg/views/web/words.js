// What the page says by itself, in English and in Chinese as in Taiwan. Figures bring their own texts along.
import { language } from "./settings.js";

const WORDS = {
  contents: ["Contents", "目錄"],
  other_language: ["中文", "English"],
  theme: ["Theme", "色調"],
  theme_auto: ["System colours", "跟隨系統"],
  theme_light: ["Light", "淺色"],
  theme_dark: ["Dark", "深色"],
  no_data: ["Nothing to show here.", "這裡沒有可顯示的內容。"],
  broken: ["This figure can't be drawn", "這張圖無法畫出"],
  unknown_kind: ["unknown kind of figure", "未知的圖類型"],
  series: ["series", "條曲線"],
  from_to: ["from {0} to {1}", "從 {0} 到 {1}"],
  total: ["Total", "總計"],
  rows: ["rows", "列"],
  columns: ["columns", "欄"],
  more_rows: ["Show all {0} rows", "顯示全部 {0} 列"],
  fewer_rows: ["Show fewer rows", "顯示較少列"],
  evidence: ["Evidence", "證據"],
  remedy: ["What to try", "可嘗試的作法"],
  nothing_found: ["Nothing wrong was found.", "沒有發現問題。"],
  severity_error: ["Serious", "嚴重"],
  severity_warning: ["Warning", "警告"],
  severity_info: ["Note", "提示"],
  loss: ["loss", "損失"],
  count: ["count", "數量"],
  value: ["value", "值"],
  least: ["least", "最小"],
  greatest: ["greatest", "最大"],
  hover: ["Point at the figure, or focus it and use the arrow keys, to read its values.", "將游標移到圖上，或選取後用方向鍵，即可讀出數值。"],
  start: ["start", "起點"],
  end: ["end", "終點"],
  path: ["path of descent", "下降路徑"],
  step: ["step", "步"],
  weight: ["weight", "權重"],
  bias: ["bias", "偏差"],
  unit: ["unit", "單元"],
  units: ["units", "個單元"],
  input: ["input", "輸入"],
  inputs: ["inputs", "輸入"],
  positive: ["positive", "正"],
  negative: ["negative", "負"],
  parameters: ["parameters", "個參數"],
  threshold: ["Threshold", "門檻"],
  accuracy: ["Accuracy", "準確率"],
  precision: ["Precision", "精確率"],
  recall: ["Recall", "召回率"],
  predicted_yes: ["Predicted: yes", "預測：是"],
  predicted_no: ["Predicted: no", "預測：否"],
  truly_yes: ["Truly yes", "實際：是"],
  truly_no: ["Truly no", "實際：否"],
  predicted_probability: ["predicted probability", "預測機率"],
  observed_share: ["observed share", "實際比例"],
  class_: ["class", "類別"],
  image: ["image", "影像"],
  images: ["images", "張影像"],
  saliency: ["overlay", "疊圖"],
  before: ["before", "更新前"],
  after: ["after", "更新後"],
  change: ["change", "變化"],
  weights: ["Weights", "權重"],
  numeric_check: ["numerical derivative", "數值微分"],
  shape: ["shape", "形狀"],
  row: ["row", "列"],
  given: ["The row", "這一列"],
  tutorial: ["As the tutorial writes it", "教學文的寫法"],
  forward: ["Forward", "前向傳播"],
  backward: ["Backward", "反向傳播"],
  update: ["Update", "更新"],
  gradient: ["gradient", "梯度"],
  difference: ["difference", "相差"],
  learning_rate: ["learning rate", "學習率"],
  from_inputs: ["computed from", "由以下的值算出"],
  of_numbers: ["… of {0} numbers", "…… 共 {0} 個數"],
  copy: ["Copy", "複製"],
  copied: ["Copied", "已複製"],
  all_points: ["points", "個點"],
  bars: ["bars", "條"],
  top: ["Top", "頁首"],
};

/**
 * A word or sentence of the page; {0}, {1} are replaced by the values.
 * @param {keyof typeof WORDS} name
 * @param {...(string | number)} values
 * @returns {string}
 */
export function word(name, ...values) {
  const text = WORDS[name][language() === "zh" ? 1 : 0];
  return values.reduce((/** @type {string} */ t, v, n) => t.replace(`{${n}}`, String(v)), text);
}

/**
 * A document's text in the language of the page.
 * @param {Words | number | boolean | null | undefined} text
 * @returns {string}
 */
export function said(text) {
  if (text === null || text === undefined) return "";
  if (typeof text === "object") return String(text[language()] ?? text.en ?? "");
  return String(text);
}

/** @param {Language} name */
export function tag(name) {
  return name === "zh" ? "zh-Hant-TW" : "en";
}
