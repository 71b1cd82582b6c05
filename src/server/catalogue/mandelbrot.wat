;; The Mandelbrot set: how soon a point escapes, and a picture in letters.
(module
  ;; A text comes in through alloc and memory. What alloc gave is never given back.
  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 1024))
  (func $alloc (export "alloc") (param $length i32) (result i32)
    (local $place i32)
    (local.set $place (global.get $free))
    (global.set $free
      (i32.and (i32.add (i32.add (local.get $place) (local.get $length)) (i32.const 7)) (i32.const -8)))
    (if (i32.lt_u (global.get $free) (local.get $place)) (then (unreachable)))
    (loop $grow
      (if (i32.gt_u (global.get $free) (i32.shl (memory.size) (i32.const 16)))
        (then
          (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
          (br $grow))))
    (local.get $place))

  ;; A text as a result: its place in the upper half, its length in the lower one.
  (func $text (param $place i32) (param $length i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $place)) (i64.const 32)) (i64.extend_i32_u (local.get $length))))

  ;; From far outside to inside.
  (data (i32.const 0) " .:-=+*#%@")

  ;; After how many steps z -> z*z + c leaves the circle of radius 2; $limit when it does not.
  (func $escape (export "escape") (param $re f64) (param $im f64) (param $limit i32) (result i32)
    (local $x f64) (local $y f64) (local $xx f64) (local $yy f64) (local $steps i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $steps) (local.get $limit)))
        (local.set $xx (f64.mul (local.get $x) (local.get $x)))
        (local.set $yy (f64.mul (local.get $y) (local.get $y)))
        (br_if $done (f64.gt (f64.add (local.get $xx) (local.get $yy)) (f64.const 4)))
        (local.set $y
          (f64.add (f64.mul (f64.mul (f64.const 2) (local.get $x)) (local.get $y)) (local.get $im)))
        (local.set $x (f64.add (f64.sub (local.get $xx) (local.get $yy)) (local.get $re)))
        (local.set $steps (i32.add (local.get $steps) (i32.const 1)))
        (br $next)))
    (local.get $steps))

  ;; Where cell $at of $cells lies between $from and $from + $width, in its middle.
  (func $middle (param $at i32) (param $cells i32) (param $from f64) (param $width f64) (result f64)
    (f64.add (local.get $from)
      (f64.div
        (f64.mul (local.get $width) (f64.add (f64.convert_i32_u (local.get $at)) (f64.const 0.5)))
        (f64.convert_i32_u (local.get $cells)))))

  ;; Lines of letters; each side is 1 to 400.
  (func (export "draw") (param $width i32) (param $height i32) (result i64)
    (local $begin i32) (local $to i32) (local $row i32) (local $column i32) (local $im f64)
    (if (i32.ge_u (i32.sub (local.get $width) (i32.const 1)) (i32.const 400)) (then (unreachable)))
    (if (i32.ge_u (i32.sub (local.get $height) (i32.const 1)) (i32.const 400)) (then (unreachable)))
    (local.set $begin
      (call $alloc (i32.mul (i32.add (local.get $width) (i32.const 1)) (local.get $height))))
    (local.set $to (local.get $begin))
    (loop $next_row
      (local.set $im (call $middle (local.get $row) (local.get $height) (f64.const -1.25) (f64.const 2.5)))
      (local.set $column (i32.const 0))
      (loop $next
        (i32.store8 (local.get $to)
          (i32.load8_u
            (i32.div_u
              (i32.mul
                (call $escape
                  (call $middle (local.get $column) (local.get $width) (f64.const -2.25) (f64.const 3))
                  (local.get $im)
                  (i32.const 90))
                (i32.const 9))
              (i32.const 90))))
        (local.set $to (i32.add (local.get $to) (i32.const 1)))
        (br_if $next
          (i32.lt_u (local.tee $column (i32.add (local.get $column) (i32.const 1))) (local.get $width))))
      (i32.store8 (local.get $to) (i32.const 10))
      (local.set $to (i32.add (local.get $to) (i32.const 1)))
      (br_if $next_row (i32.lt_u (local.tee $row (i32.add (local.get $row) (i32.const 1))) (local.get $height))))
    (call $text (local.get $begin) (i32.sub (local.get $to) (local.get $begin)))))
