SELECT i.product_no::text, row_number() OVER (PARTITION BY i.product_no ORDER BY i.position, i.image_id)::text, i.url, coalesce(i.alt, t.name, p.name)
  FROM image i
  JOIN product p ON p.product_no = i.product_no AND NOT p.discontinued
  LEFT JOIN LATERAL (SELECT x.name FROM product_text x WHERE x.product_no = p.product_no AND x.lang IN ('nb', 'en')
                      ORDER BY array_position(ARRAY['nb', 'en'], x.lang::text) LIMIT 1) t ON true
 ORDER BY i.product_no, row_number() OVER (PARTITION BY i.product_no ORDER BY i.position, i.image_id)
