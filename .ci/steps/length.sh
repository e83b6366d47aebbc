# A report, no verdict: one file is one noun, and a long one may be two.
limit=300
go_files | xargs -0 -r -n1 wc -l | sort -rn |
	awk -v limit="$limit" '
		{ files++; lines += $1 }
		$1 > limit { long++; print $1, $2 }
		END { printf "%d files, %d lines, %d of them over %d\n", files, lines, long, limit }'
