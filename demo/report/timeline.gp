# SPDX-License-Identifier: GPL-2.0
# Draws what timeline.py measured; `settings`, `kind` and `out` come from its command line.
load settings

blue = "#1f5fa8"
red = "#c0272d"
green = "#2e7d32"
grey = "#666666"
amber = "#b36b00"

if (kind eq "svg") {
	set terminal svg size 1100,840 dynamic background "white" font "DejaVu Sans,13"
} else {
	set terminal pngcairo size 1650,1260 background "white" font "DejaVu Sans,19" linewidth 1.5
}
set output out

set border 3 linecolor rgb grey
set tics nomirror textcolor rgb "#333333"
set grid ytics linecolor rgb "#e4e4e4" linewidth 1
set key off
set style fill solid 1.0 noborder
set xrange [from:to]
top = total + (total - low) * 0.14
bottom = low - (total - low) * 0.12
set yrange [bottom:top]
set ytics format "%.1f"
set ylabel "MB acknowledged by the receiver"
unit = (top - bottom) / 16

set multiplot layout 2,1 title heading."\n{/*0.8 ".subheading."}" offset 0,-0.3 \
	margins 0.085,0.975,0.085,0.865 spacing 0,0.13

# A panel, from the variables that begin with its name.
do for [panel in "a b"] {
	eval "data = ".panel."_data; heading_ = ".panel."_title; whole = ".panel."_whole"
	eval "notify = ".panel."_notify; end_ = ".panel."_end; at_close = ".panel."_at_close"
	eval "reset_ = ".panel."_reset; reset_at = ".panel."_reset_at"
	eval "reset_from = ".panel."_reset_from"
	eval "last = ".panel."_last; last_time = ".panel."_last_time"
	colour = whole ? green : red
	shade = whole ? "#d9eedb" : "#f8d9da"

	unset label
	unset arrow
	unset object
	set title heading_ textcolor rgb colour offset 0,-0.4
	if (panel eq "b") { set xlabel "seconds since close()" } else { unset xlabel }

	# everything that the program gave to the kernel
	set arrow 1 from from,total to to,total nohead dashtype 2 linecolor rgb grey
	set label 1 sprintf("%.2f MB: all records, close\\_notify included", total) \
		at from,total + 0.6 * unit offset 0.5,0 textcolor rgb grey

	set arrow 2 from notify,bottom to notify,total nohead dashtype 4 linewidth 1.5 linecolor rgb amber
	set arrow 3 from 0,bottom to 0,total nohead linewidth 1.5 linecolor rgb amber
	set label 2 "close\\_notify" at notify,bottom + 0.7 * unit right offset -0.7,0 \
		textcolor rgb amber
	set label 3 end_ at 0,bottom + 0.7 * unit left offset 0.7,0 textcolor rgb amber

	# what is in the send queue at that moment, and what becomes of it
	set arrow 4 from to,at_close to to,total heads size screen 0.006,20 filled \
		linewidth 1.5 linecolor rgb colour
	set arrow 5 from 0,at_close to to,at_close nohead dashtype 3 linecolor rgb colour
	fate = !whole ? sprintf("%.2f MB on the path, %.2f MB lost", last - at_close, total - last) : \
		reset_ == reset_ && reset_at < last ? "all on the path" : "all delivered"
	set label 4 sprintf("%.2f MB in the send\nqueue at %s:\n%s", total - at_close, end_, fate) \
		at to,at_close - 0.9 * unit right offset -0.5,0 front textcolor rgb colour
	if (!whole) {
		set object 1 rectangle from last_time,last to to,total behind \
			fillcolor rgb shade fillstyle solid 1.0 noborder
	}

	if (reset_ == reset_) {
		set arrow 6 from reset_,bottom to reset_,reset_at nohead front linewidth 2 linecolor rgb red
		height = (reset_ > 0.2 * (to - from) ? 1.9 : 3) * unit
		set label 6 sprintf("%s,\n%.3f s after %s", reset_from, reset_, end_) \
			at reset_,bottom + height left offset 0.7,0 textcolor rgb red
	}
	plot data using ($1 >= 0 && whole ? $1 : NaN):2:(at_close) with filledcurves \
	          fillcolor rgb shade, \
	     data using 1:2 with lines linewidth 2.5 linecolor rgb blue, \
	     "+" using (reset_):(reset_at) every ::0::0 with points pointtype 2 pointsize 2.2 \
	          linewidth 3 linecolor rgb red
}
unset multiplot
