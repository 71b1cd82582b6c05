;; Counts words, lines and characters of a text.
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

  ;; A space, or one of tab, line feed, vertical tab, form feed and carriage return.
  (func $is_space (param $byte i32) (result i32)
    (i32.or
      (i32.eq (local.get $byte) (i32.const 32))
      (i32.lt_u (i32.sub (local.get $byte) (i32.const 9)) (i32.const 5))))

  (func (export "words") (param $place i32) (param $length i32) (result i32)
    (local $count i32) (local $inside i32) (local $space i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (local.set $space (call $is_space (i32.load8_u (local.get $place))))
        (local.set $count
          (i32.add (local.get $count) (i32.eqz (i32.or (local.get $space) (local.get $inside)))))
        (local.set $inside (i32.eqz (local.get $space)))
        (local.set $place (i32.add (local.get $place) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next)))
    (local.get $count))

  ;; A last line counts without a line feed, too.
  (func (export "lines") (param $place i32) (param $length i32) (result i32)
    (local $count i32) (local $begun i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (local.set $begun (i32.ne (i32.load8_u (local.get $place)) (i32.const 10)))
        (local.set $count (i32.add (local.get $count) (i32.eqz (local.get $begun))))
        (local.set $place (i32.add (local.get $place) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next)))
    (i32.add (local.get $count) (local.get $begun)))

  ;; Code points: bytes of UTF-8 that do not continue another one.
  (func (export "characters") (param $place i32) (param $length i32) (result i32)
    (local $count i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (local.set $count
          (i32.add (local.get $count)
            (i32.ne (i32.and (i32.load8_u (local.get $place)) (i32.const 0xc0)) (i32.const 0x80))))
        (local.set $place (i32.add (local.get $place) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next)))
    (local.get $count)))
