export default function ({ data, parentElement }) {
  const link = parentElement.querySelector("a");
  link.href = data.url;
  link.download = data.filename;
  link.className = data.style;
  link.querySelector("span").textContent = data.label;
}
