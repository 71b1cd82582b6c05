;; The Authorization header of the Basic scheme (RFC 7617).
(module
  ;; It works in the memory of base64, so that texts need not be copied from one to the other.
  (memory (export "memory") (import "base64" "memory") 1)
  (func $alloc (export "alloc") (import "base64" "alloc") (param i32) (result i32))
  (func $encode (import "base64" "encode") (param i32 i32) (result i64))

  ;; A text as a result: its place in the upper half, its length in the lower one.
  (func $text (param $place i32) (param $length i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $place)) (i64.const 32)) (i64.extend_i32_u (local.get $length))))

  (data $scheme "Basic ")

  ;; A name with a colon breaks off: whoever reads it would cut it there.
  (func (export "header")
    (param $name i32) (param $name_length i32) (param $word i32) (param $word_length i32) (result i64)
    (local $pair i32) (local $at i32) (local $encoded i64) (local $begin i32) (local $length i32)
    (local.set $pair
      (call $alloc (i32.add (i32.add (local.get $name_length) (local.get $word_length)) (i32.const 1))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $at) (local.get $name_length)))
        (if (i32.eq (i32.load8_u (i32.add (local.get $name) (local.get $at))) (i32.const 58))
          (then (unreachable)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (memory.copy (local.get $pair) (local.get $name) (local.get $name_length))
    (local.set $at (i32.add (local.get $pair) (local.get $name_length)))
    (i32.store8 (local.get $at) (i32.const 58))
    (memory.copy (i32.add (local.get $at) (i32.const 1)) (local.get $word) (local.get $word_length))
    (local.set $encoded
      (call $encode (local.get $pair)
        (i32.add (i32.add (local.get $name_length) (local.get $word_length)) (i32.const 1))))
    (local.set $length (i32.wrap_i64 (local.get $encoded)))
    (local.set $begin (call $alloc (i32.add (local.get $length) (i32.const 6))))
    (memory.init $scheme (local.get $begin) (i32.const 0) (i32.const 6))
    (memory.copy
      (i32.add (local.get $begin) (i32.const 6))
      (i32.wrap_i64 (i64.shr_u (local.get $encoded) (i64.const 32)))
      (local.get $length))
    (call $text (local.get $begin) (i32.add (local.get $length) (i32.const 6)))))
