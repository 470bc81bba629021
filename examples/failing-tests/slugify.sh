# Text functions for file names and headings. Source this file.

# Prints a title as it stands in an address: lower case, words joined by hyphens, nothing else.
slugify() {
  local text="${1,,}"
  text="${text//[^a-z0-9 ]/}"
  text="${text/ /-}"
  printf '%s\n' "$text"
}

# Prints every word of a text with a capital first letter.
capitalize() {
  local words word
  read -r -a words <<< "$1"
  for word in "${!words[@]}"; do
    words[word]="${words[word]^}"
  done
  printf '%s\n' "${words[*]}"
}

# Prints a text, cut to a number of characters with an ellipsis when it is longer.
shorten() {
  local text="$1" limit="$2"
  if (( ${#text} > limit )); then
    text="${text:0:limit-3}..."
  fi
  printf '%s\n' "$text"
}
