SELECT CAST(product_no AS CHAR), producer, country, CAST(vintage AS CHAR), CAST(alcohol AS CHAR), CAST(volume_ml AS CHAR),
       name, description, CAST(net_price AS CHAR), CAST(price_rev AS CHAR), CAST(price AS CHAR), CAST(vat_rate AS CHAR),
       CAST(stock AS CHAR), CAST(stock_rev AS CHAR), CAST(rev AS CHAR), status, status_reason
  FROM product ORDER BY product_no
