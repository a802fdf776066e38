-- What the shop's table product must hold, straight from the ERP. $1 is today's date in the pipeline's zone.
SELECT p.product_no::text,
       p.producer, upper(p.country), p.vintage::text, p.alcohol::text, p.volume_ml::text,
       coalesce(t.name, p.name), t.description,
       n.price::text, n.rev::text,
       round(n.price * (1 + v.rate / 100), 2)::text, CASE WHEN n.price IS NOT NULL THEN v.rate::text END,
       s.stock::text, s.rev::text, p.rev::text,
       CASE WHEN p.blocked OR n.price IS NULL THEN 'hidden' WHEN i.n = 0 THEN 'draft' WHEN s.stock <= 0 THEN 'sold_out' ELSE 'published' END,
       CASE WHEN p.blocked THEN 'blocked in the ERP' WHEN n.price IS NULL THEN 'no valid price' WHEN i.n = 0 THEN 'no image'
            WHEN s.stock <= 0 THEN 'nothing in stock' ELSE 'complete' END
  FROM product p
  LEFT JOIN LATERAL (SELECT x.name, x.description FROM product_text x WHERE x.product_no = p.product_no AND x.lang IN ('nb', 'en')
                      ORDER BY array_position(ARRAY['nb', 'en'], x.lang::text) LIMIT 1) t ON true
  LEFT JOIN LATERAL (SELECT x.price, x.rev FROM price x WHERE x.product_no = p.product_no AND x.list = 'SHOP' AND x.min_qty <= 1
                        AND x.valid_from <= $1::date AND (x.valid_to IS NULL OR x.valid_to >= $1::date)
                      ORDER BY x.valid_from DESC, x.list, x.min_qty LIMIT 1) n ON true
  LEFT JOIN LATERAL (SELECT x.rate FROM vat_rate x WHERE x.vat_code = p.vat_code AND x.valid_from <= $1::date
                        AND (x.valid_to IS NULL OR x.valid_to >= $1::date) ORDER BY x.valid_from DESC LIMIT 1) v ON true
  LEFT JOIN LATERAL (SELECT coalesce(sum(x.on_hand - x.reserved) FILTER (WHERE x.warehouse IN ('OSL', 'BGO', 'TRD')), 0) AS stock, max(x.rev) AS rev
                       FROM stock x WHERE x.product_no = p.product_no) s ON true
  LEFT JOIN LATERAL (SELECT count(*) AS n FROM image x WHERE x.product_no = p.product_no) i ON true
 WHERE NOT p.discontinued
 ORDER BY p.product_no
