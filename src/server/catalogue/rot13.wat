;; ROT13: Latin letters thirteen places on; its own inverse.
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

  (func (export "rot13") (param $place i32) (param $length i32) (result i64)
    (local $begin i32) (local $at i32) (local $byte i32) (local $index i32)
    (local.set $begin (call $alloc (local.get $length)))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $at) (local.get $length)))
        (local.set $byte (i32.load8_u (i32.add (local.get $place) (local.get $at))))
        ;; In small letters, from a.
        (local.set $index (i32.sub (i32.or (local.get $byte) (i32.const 32)) (i32.const 97)))
        (if (i32.lt_u (local.get $index) (i32.const 26))
          (then
            (local.set $byte
              (i32.add (local.get $byte)
                (select (i32.const 13) (i32.const -13) (i32.lt_u (local.get $index) (i32.const 13)))))))
        (i32.store8 (i32.add (local.get $begin) (local.get $at)) (local.get $byte))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (call $text (local.get $begin) (local.get $length))))
