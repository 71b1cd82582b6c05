;; Levenshtein distance: how many characters to insert, delete or replace.
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

  ;; The characters as numbers, one after another: each the bytes of its UTF-8. Returns how many there are.
  (func $characters (param $place i32) (param $length i32) (param $to i32) (result i32)
    (local $byte i32) (local $at i32)
    (local.set $at (i32.sub (local.get $to) (i32.const 4)))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (local.set $byte (i32.load8_u (local.get $place)))
        ;; A byte that continues belongs to the character before it.
        (if (i32.and
              (i32.eq (i32.and (local.get $byte) (i32.const 0xc0)) (i32.const 0x80))
              (i32.ge_u (local.get $at) (local.get $to)))
          (then
            (i32.store (local.get $at)
              (i32.or (i32.shl (i32.load (local.get $at)) (i32.const 8)) (local.get $byte))))
          (else
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (i32.store (local.get $at) (local.get $byte))))
        (local.set $place (i32.add (local.get $place) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next)))
    (i32.shr_u (i32.sub (i32.add (local.get $at) (i32.const 4)) (local.get $to)) (i32.const 2)))

  (func $least (param $one i32) (param $other i32) (result i32)
    (select (local.get $one) (local.get $other) (i32.lt_u (local.get $one) (local.get $other))))

  ;; Wagner and Fischer, with one row.
  (func (export "distance")
    (param $place i32) (param $length i32) (param $other i32) (param $other_length i32) (result i32)
    (local $a i32) (local $b i32) (local $row i32) (local $i i32) (local $j i32)
    (local $diagonal i32) (local $above i32) (local $cell i32)
    (local.set $a (call $alloc (i32.shl (local.get $length) (i32.const 2))))
    (local.set $length (call $characters (local.get $place) (local.get $length) (local.get $a)))
    (local.set $b (call $alloc (i32.shl (local.get $other_length) (i32.const 2))))
    (local.set $other_length (call $characters (local.get $other) (local.get $other_length) (local.get $b)))
    (local.set $row (call $alloc (i32.shl (i32.add (local.get $other_length) (i32.const 1)) (i32.const 2))))
    (loop $next
      (i32.store (i32.add (local.get $row) (i32.shl (local.get $j) (i32.const 2))) (local.get $j))
      (br_if $next
        (i32.le_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (local.get $other_length))))
    (block $done
      (loop $next_row
        (br_if $done (i32.eq (local.get $i) (local.get $length)))
        (local.set $diagonal (i32.load (local.get $row)))
        (i32.store (local.get $row) (i32.add (local.get $i) (i32.const 1)))
        (local.set $j (i32.const 0))
        (block $row_done
          (loop $next
            (br_if $row_done (i32.eq (local.get $j) (local.get $other_length)))
            (local.set $cell (i32.add (local.get $row) (i32.shl (local.get $j) (i32.const 2))))
            (local.set $above (i32.load offset=4 (local.get $cell)))
            (i32.store offset=4 (local.get $cell)
              (call $least
                (i32.add
                  (local.get $diagonal)
                  (i32.ne
                    (i32.load (i32.add (local.get $a) (i32.shl (local.get $i) (i32.const 2))))
                    (i32.load (i32.add (local.get $b) (i32.shl (local.get $j) (i32.const 2))))))
                (i32.add (call $least (local.get $above) (i32.load (local.get $cell))) (i32.const 1))))
            (local.set $diagonal (local.get $above))
            (local.set $j (i32.add (local.get $j) (i32.const 1)))
            (br $next)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next_row)))
    (i32.load (i32.add (local.get $row) (i32.shl (local.get $other_length) (i32.const 2))))))
