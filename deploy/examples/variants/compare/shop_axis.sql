SELECT style, axis, position, value FROM (
  SELECT style, 'colour' AS axis, position, colour AS value FROM product_colour UNION ALL SELECT style, 'size', position, size FROM product_size
) a ORDER BY CAST(style AS BINARY), axis, position
